//! Words to an expression. Types are checked here, so that nothing can go wrong later.

use super::{
    Comparison, ConditionError, Expression, TextTest,
    attribute::{Attribute, KNOWN, attribute},
    lexer::{Word, words},
};

/// How deep parentheses and `!` may be nested; each level costs stack.
const DEPTH_MAX: usize = 32;
/// Words of an expression. Longer ones are evaluated for every request, and nobody writes them.
const WORDS_MAX: usize = 1000;

/// What stands on one side of a comparison, or alone.
enum Operand {
    Attribute(Attribute),
    Number(i64),
    Duration(i64),
    Text(String),
    Expression(Expression),
}

struct Parser<'p> {
    text: &'p str,
    words: Vec<(Word, usize)>,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, ConditionError>;

pub(super) fn parse(text: &str) -> Parsed<Expression> {
    let mut parser = Parser { text, words: words(text)?, at: 0, depth: 0 };
    if parser.words.len() > WORDS_MAX {
        return parser.wrong(0, "the expression is too long");
    }
    let expression = parser.either()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => parser.wrong(parser.at, "nothing more is expected here"),
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at).map(|(word, _)| word)
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.peek().cloned();
        self.at += 1;
        word
    }

    /// Takes a sign, if it is the next word.
    fn takes(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Word::Sign(next)) if *next == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn expects(&mut self, sign: &str) -> Parsed<()> {
        if self.takes(sign) { Ok(()) } else { self.wrong(self.at, &format!("`{sign}` is expected here")) }
    }

    /// An error about what begins with a word.
    fn wrong<T>(&self, from: usize, message: &str) -> Parsed<T> {
        let place = |index: usize| self.words.get(index).map_or(0, |(_, end)| *end);
        let begin = from.checked_sub(1).map_or(0, place);
        let end = place(self.at.saturating_sub(1).max(from)).max(begin);
        let part = self.text.get(begin..end).unwrap_or_default().trim().to_owned();
        Err(ConditionError { part, message: message.to_owned() })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return self.wrong(self.at, "it is nested too deeply");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn either(&mut self) -> Parsed<Expression> {
        let mut expression = self.both()?;
        while self.takes("||") {
            expression = Expression::Or(Box::new([expression, self.both()?]));
        }
        if self.takes("?") {
            return self.wrong(self.at - 1, "`?:` is not supported; write it with && and ||");
        }
        Ok(expression)
    }

    fn both(&mut self) -> Parsed<Expression> {
        let mut expression = self.not()?;
        while self.takes("&&") {
            expression = Expression::And(Box::new([expression, self.not()?]));
        }
        Ok(expression)
    }

    fn not(&mut self) -> Parsed<Expression> {
        if self.takes("!") {
            let inner = self.deeper(Self::not)?;
            return Ok(Expression::Not(Box::new(inner)));
        }
        self.relation()
    }

    fn relation(&mut self) -> Parsed<Expression> {
        let from = self.at;
        let left = self.operand()?;
        let comparison = match self.peek() {
            Some(Word::Sign(sign)) => comparison(sign),
            Some(Word::Name(name)) if name == "in" => {
                self.at += 1;
                return self.membership(left, from);
            }
            _ => None,
        };
        if let Some(comparison) = comparison {
            self.at += 1;
            let right = self.operand()?;
            return self.compare(left, comparison, right, from);
        }
        match left {
            Operand::Expression(expression) => Ok(expression),
            Operand::Attribute(Attribute::Bool(attribute)) => Ok(Expression::Bool(attribute)),
            _ => self.wrong(from, "it is neither true nor false"),
        }
    }

    fn compare(
        &self,
        left: Operand,
        comparison: Comparison,
        right: Operand,
        from: usize,
    ) -> Parsed<Expression> {
        use Attribute::{Number, Text};
        match (left, right) {
            (Operand::Attribute(Number(number)), Operand::Number(value)) if !number.is_duration() => {
                Ok(Expression::Number(number, comparison, value))
            }
            (Operand::Attribute(Number(number)), Operand::Duration(value)) if number.is_duration() => {
                Ok(Expression::Number(number, comparison, value))
            }
            (Operand::Attribute(Number(number)), _) if number.is_duration() => {
                self.wrong(from, "it is compared with a duration, such as duration('1s')")
            }
            (Operand::Attribute(Text(text)), Operand::Text(value)) => {
                let value = value.into_bytes().into();
                Ok(Expression::Text(text, TextTest::Compare(comparison, value)))
            }
            // `true == connection.mtls` and the like.
            (Operand::Expression(Expression::Constant(value)), other)
            | (other, Operand::Expression(Expression::Constant(value))) => {
                let expression = match other {
                    Operand::Expression(expression) => expression,
                    Operand::Attribute(Attribute::Bool(attribute)) => Expression::Bool(attribute),
                    _ => return self.wrong(from, "it is neither true nor false"),
                };
                let is_wanted = match comparison {
                    Comparison::Equal => value,
                    Comparison::NotEqual => !value,
                    _ => return self.wrong(from, "true and false have no order"),
                };
                Ok(if is_wanted { expression } else { Expression::Not(Box::new(expression)) })
            }
            (
                value @ (Operand::Number(_) | Operand::Duration(_) | Operand::Text(_)),
                attribute @ Operand::Attribute(_),
            ) => self.compare(attribute, comparison.turned(), value, from),
            (Operand::Attribute(Attribute::Fields(_)), _) => {
                self.wrong(from, "it needs a name, such as request.headers['x']")
            }
            (Operand::Attribute(_), Operand::Attribute(_)) => {
                self.wrong(from, "two attributes are not compared with each other")
            }
            _ => self.wrong(from, "these two can't be compared"),
        }
    }

    fn membership(&mut self, left: Operand, from: usize) -> Parsed<Expression> {
        if let Operand::Text(name) = &left {
            return match self.operand()? {
                Operand::Attribute(Attribute::Fields(fields)) => Ok(Expression::HasText(fields.get(name))),
                _ => self.wrong(from, "a name is looked for in request.headers or response.headers"),
            };
        }
        self.expects("[")?;
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        while !self.takes("]") {
            match self.operand()? {
                Operand::Number(number) => numbers.push(number),
                Operand::Text(text) => texts.push(text.into_bytes().into()),
                _ => return self.wrong(from, "a list has numbers or texts"),
            }
            if !self.takes(",") {
                self.expects("]")?;
                break;
            }
        }
        match left {
            Operand::Attribute(Attribute::Number(number)) if texts.is_empty() && !number.is_duration() => {
                Ok(Expression::NumberIn(number, numbers.into()))
            }
            Operand::Attribute(Attribute::Text(text)) if numbers.is_empty() => {
                Ok(Expression::Text(text, TextTest::In(texts.into())))
            }
            _ => self.wrong(from, "the list has nothing of its kind"),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let from = self.at;
        match self.next() {
            Some(Word::Number(number)) => Ok(Operand::Number(number)),
            Some(Word::Sign("-")) => match self.next() {
                Some(Word::Number(number)) => Ok(Operand::Number(-number)),
                _ => self.wrong(from, "a number is expected here"),
            },
            Some(Word::Text(text)) => Ok(Operand::Text(text)),
            Some(Word::Sign("(")) => {
                let inner = self.deeper(Self::either)?;
                self.expects(")")?;
                Ok(Operand::Expression(inner))
            }
            Some(Word::Name(name)) => self.named(&name, from),
            Some(Word::Sign(_)) => self.wrong(from, "a value is expected here"),
            None => self.wrong(from.saturating_sub(1), "the expression ends too early"),
        }
    }

    fn named(&mut self, name: &str, from: usize) -> Parsed<Operand> {
        match name {
            "true" | "false" => return Ok(Operand::Expression(Expression::Constant(name == "true"))),
            "has" => {
                self.expects("(")?;
                let inner = self.operand()?;
                self.expects(")")?;
                return match inner {
                    Operand::Attribute(Attribute::Text(text)) => {
                        Ok(Operand::Expression(Expression::HasText(text)))
                    }
                    Operand::Attribute(Attribute::Number(number)) => {
                        Ok(Operand::Expression(Expression::HasNumber(number)))
                    }
                    Operand::Attribute(Attribute::Bool(_) | Attribute::Fields(_)) => {
                        Ok(Operand::Expression(Expression::Constant(true)))
                    }
                    _ => self.wrong(from, "`has` takes an attribute"),
                };
            }
            "duration" => {
                self.expects("(")?;
                let Some(Word::Text(text)) = self.next() else {
                    return self.wrong(from, "`duration` takes a text, such as duration('1s')");
                };
                self.expects(")")?;
                return match nanoseconds(&text) {
                    Some(duration) => Ok(Operand::Duration(duration)),
                    None => {
                        self.wrong(from, "it is no duration, such as duration('1.5s') or duration('200ms')")
                    }
                };
            }
            _ => {}
        }
        if matches!(self.peek(), Some(Word::Sign("("))) {
            return self.wrong(from, "this function is not supported; has() and duration() are");
        }
        self.path(name, from)
    }

    /// `request.headers['x'].startsWith('a')`
    fn path(&mut self, first: &str, from: usize) -> Parsed<Operand> {
        let mut path = first.to_owned();
        let mut found: Option<Attribute> = None;
        loop {
            if self.takes("[") {
                let (Some(Attribute::Fields(fields)), Some(Word::Text(name))) = (&found, self.next()) else {
                    return self.wrong(from, "only request.headers and response.headers have names");
                };
                let text = fields.get(&name);
                self.expects("]")?;
                found = Some(Attribute::Text(text));
            } else if self.takes(".") {
                let Some(Word::Name(name)) = self.next() else {
                    return self.wrong(from, "a name is expected behind the dot");
                };
                if matches!(self.peek(), Some(Word::Sign("("))) {
                    return self.method(found, &name, from);
                }
                found = match found {
                    Some(Attribute::Fields(fields)) => Some(Attribute::Text(fields.get(&name))),
                    Some(_) => return self.wrong(from, "it has no parts"),
                    None => {
                        path = format!("{path}.{name}");
                        attribute(&path)
                    }
                };
            } else {
                break;
            }
        }
        match found {
            Some(attribute) => Ok(Operand::Attribute(attribute)),
            None => self.wrong(from, &format!("this attribute is not known; known are {KNOWN}")),
        }
    }

    fn method(&mut self, of: Option<Attribute>, name: &str, from: usize) -> Parsed<Operand> {
        self.expects("(")?;
        let argument = match self.peek() {
            Some(Word::Text(_)) => self.next(),
            _ => None,
        };
        let test: fn(Box<[u8]>) -> TextTest = match name {
            "startsWith" => TextTest::StartsWith,
            "endsWith" => TextTest::EndsWith,
            "contains" => TextTest::Contains,
            _ => {
                let message = "this function is not supported; startsWith, endsWith and contains are";
                return self.wrong(from, message);
            }
        };
        let Some(Word::Text(argument)) = argument else {
            return self.wrong(from, "it takes a text in quotes");
        };
        self.expects(")")?;
        let Some(Attribute::Text(text)) = of else { return self.wrong(from, "it is no text") };
        Ok(Operand::Expression(Expression::Text(text, test(argument.into_bytes().into()))))
    }
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

impl Comparison {
    /// The same with its sides changed.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

/// Go's durations, of which CEL has the form: decimal numbers, each with a unit.
fn nanoseconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 6] =
        [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
    let (mut rest, mut all) = (text, 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, scale) = UNITS.iter().find(|(unit, _)| {
            after
                .strip_prefix(unit)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
        })?;
        all += number.parse::<f64>().ok()? * scale;
        rest = after.get(unit.len()..)?;
    }
    Some(all as i64)
}
