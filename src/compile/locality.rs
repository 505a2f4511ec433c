//! Where something is: `region/zone/subzone`.

use std::{fmt, str::FromStr};

/// Where something is. What is not known is empty; a zone is in a region, and a subzone in a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// Such as a data centre's city.
    pub region: String,
    /// A part of the region that fails by itself.
    pub zone: String,
    /// A part of the zone.
    pub subzone: String,
}

impl Locality {
    /// Reads `region/zone/subzone`, of which the end may be absent, as Istio does: what comes after the third part is not
    /// looked at.
    pub(super) fn of_text(text: &str) -> Locality {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Locality { region: next(), zone: next(), subzone: next() }
    }

    /// Reads the value of a label, which has `.` in place of `/`: labels may have no `/`.
    pub(super) fn of_label(value: &str) -> Locality {
        match value.contains('/') {
            true => Locality::of_text(value),
            false => Locality::of_text(&value.replace('.', "/")),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Locality::default()
    }

    /// How far something is: 0 in the same subzone, 1 in the same zone, 2 in the same region, 3 elsewhere.
    pub(super) fn distance(&self, other: &Locality) -> u32 {
        match () {
            () if self.region != other.region => 3,
            () if self.zone != other.zone => 2,
            () if self.subzone != other.subzone => 1,
            () => 0,
        }
    }

    /// Whether it is in a place as a rule writes it, with `*` for any, and nothing for any zone or subzone.
    pub(super) fn is_in(&self, rule: &str) -> bool {
        let rule = Locality::of_text(rule);
        let is = |own: &str, wanted: &str| wanted == "*" || own == wanted;
        is(&self.region, &rule.region)
            && (rule.zone.is_empty() || is(&self.zone, &rule.zone))
            && (rule.subzone.is_empty() || is(&self.subzone, &rule.subzone))
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)?;
        for part in [&self.zone, &self.subzone] {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Locality {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').map(str::trim).collect();
        if parts.len() > 3 || parts.iter().any(|part| part.is_empty() || part.contains('*')) {
            return Err(format!("`{text}`: expected REGION, REGION/ZONE or REGION/ZONE/SUBZONE"));
        }
        Ok(Locality::of_text(&parts.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let read = |text: &str| text.parse::<Locality>().map(|locality| locality.to_string());
        assert_eq!(read("r").unwrap(), "r");
        assert_eq!(read("r/z").unwrap(), "r/z");
        assert_eq!(read(" r / z / s ").unwrap(), "r/z/s");
        for bad in ["", "/", "r/", "r//s", "r/z/s/t", "r/*"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(Locality::of_label("r.z.s").to_string(), "r/z/s");
    }

    #[test]
    fn distances() {
        let here = Locality::of_text("r/z/s");
        let to = |text: &str| here.distance(&Locality::of_text(text));
        assert_eq!([to("r/z/s"), to("r/z/t"), to("r/y/s"), to("q/z/s"), to("")], [0, 1, 2, 3, 3]);
    }

    #[test]
    fn places_of_rules() {
        let here = Locality::of_text("r/z/s");
        for rule in ["*", "r", "r/*", "r/z", "r/z/*", "r/z/s", "*/z"] {
            assert!(here.is_in(rule), "{rule}");
        }
        for rule in ["q", "r/y/*", "r/z/t", ""] {
            assert!(!here.is_in(rule), "{rule}");
        }
        assert!(Locality::default().is_in("*"));
    }
}
