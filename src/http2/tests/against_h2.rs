//! A second opinion: the `h2` crate as the peer, over memory, and everything is polled again and again until it is done.

use super::*;
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use std::{cell::RefCell, collections::VecDeque, future::poll_fn, io, pin::Pin, rc::Rc, task::Context};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is on its way to `h2`, and what it has sent.
struct Line {
    inward: VecDeque<u8>,
    outward: Vec<u8>,
    random: Random,
}

/// The socket that `h2` has.
#[derive(Clone)]
struct Wire(Rc<RefCell<Line>>);

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        if line.inward.is_empty() {
            return Poll::Pending;
        }
        let count = (1 + line.random.below(5000)).min(line.inward.len()).min(to.remaining());
        let piece: Vec<u8> = line.inward.drain(..count).collect();
        to.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().outward.extend_from_slice(from);
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// What is said in one direction of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Speech {
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

impl Speech {
    fn new(random: &mut Random) -> Speech {
        let len = match random.below(4) {
            0 => 0,
            1 => random.below(100),
            2 => random.below(20_000),
            _ => random.below(120_000),
        };
        let mut list = |count: usize| -> Vec<(String, String)> {
            let value = |random: &mut Random| {
                let long = if random.one_in(20) { 9_000 } else { 30 };
                format!("{}{}", random.next(), "v".repeat(random.below(long)))
            };
            (0..count).map(|number| (format!("x-{}-{number}", random.below(9)), value(random))).collect()
        };
        let fields = list(4);
        let trailers = list(2);
        let trailers = if random.one_in(2) { trailers } else { Vec::new() };
        Speech { fields, body: random.body(len), trailers }
    }
}

fn map(list: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(pair).collect()
}

fn sorted<'a>(list: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut list: Vec<(String, String)> = list.map(|(name, value)| (text(name), text(value))).collect();
    list.sort();
    list
}

fn of_map(map: &HeaderMap) -> Vec<(String, String)> {
    sorted(map.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
}

fn of_fields(fields: &Fields) -> Vec<(String, String)> {
    sorted(fields.iter().map(|field| (field.text, field.value)))
}

fn own(list: &[(String, String)]) -> Fields {
    fields(&list.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

async fn say(mut to: SendStream<Bytes>, body: Vec<u8>, trailers: Vec<(String, String)>) {
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        to.reserve_capacity(rest.len());
        let Some(Ok(capacity)) = poll_fn(|context| to.poll_capacity(context)).await else { return };
        let piece = rest.split_to(capacity.min(rest.len()));
        to.send_data(piece, false).unwrap();
    }
    match trailers.is_empty() {
        true => to.send_data(Bytes::new(), true).unwrap(),
        false => to.send_trailers(map(&trailers)).unwrap(),
    }
}

async fn hear(mut from: RecvStream) -> Speech {
    let mut heard = Speech::default();
    while let Some(piece) = from.data().await {
        let piece = piece.unwrap();
        from.flow_control().release_capacity(piece.len()).unwrap();
        heard.body.extend_from_slice(&piece);
    }
    heard.trailers = from.trailers().await.unwrap().map(|map| of_map(&map)).unwrap_or_default();
    heard
}

/// One of our streams: says what it has to say, and hears.
struct Talk {
    key: Key,
    speech: Speech,
    said: usize,
    is_said: bool,
    heard: Speech,
    is_heard: bool,
}

impl Talk {
    fn new(key: Key, speech: Speech) -> Talk {
        Talk { key, speech, said: 0, is_said: false, heard: Speech::default(), is_heard: false }
    }

    fn go_on(&mut self, connection: &mut Connection, random: &mut Random) {
        if self.said < self.speech.body.len() {
            let len = (1 + random.below(30_000)).min(self.speech.body.len() - self.said);
            let piece = &self.speech.body[self.said..self.said + len];
            if let Poll::Ready(sent) = connection.send_data(self.key, piece, Then::More, Waker::noop()) {
                self.said += sent.unwrap();
            }
        } else if !self.is_said {
            self.is_said = true;
            match self.speech.trailers.is_empty() {
                true => drop(connection.send_data(self.key, b"", Then::End, Waker::noop())),
                false => connection.send_trailers(self.key, &own(&self.speech.trailers)),
            }
        }
        if !self.is_heard && !random.one_in(4) {
            let (data, end) = take_all(connection, self.key);
            self.heard.body.extend(data);
            if let Some(end) = end {
                self.heard.trailers = end.unwrap().map(|fields| of_fields(&fields)).unwrap_or_default();
                self.is_heard = true;
            }
        }
    }

    fn assert_heard(&self, wanted: &Speech) {
        let mut trailers = wanted.trailers.clone();
        trailers.sort();
        assert!(self.heard.body == wanted.body && self.heard.trailers == trailers);
    }
}

/// Hands over bytes in both directions.
fn carry(line: &Rc<RefCell<Line>>, end: &mut End) {
    let sent = std::mem::take(&mut line.borrow_mut().outward);
    end.receive(&sent, 0).unwrap();
    let answer = end.connection.take_out(Vec::new());
    line.borrow_mut().inward.extend(answer);
}

fn poll(tasks: &mut Vec<Task>) {
    let mut context = Context::from_waker(Waker::noop());
    tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
}

/// Turns until everything has to be done.
const TURNS_MAX: usize = 100_000;

fn line(seed: u64) -> Rc<RefCell<Line>> {
    Rc::new(RefCell::new(Line { inward: VecDeque::new(), outward: Vec::new(), random: Random(seed) }))
}

#[test]
fn h2_is_the_client() {
    for seed in 0..4 {
        let mut random = Random(seed);
        let line = line(seed);
        let window = 1000 + random.below(70_000) as u32;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(65_535 + window);
        let opening = builder.handshake::<_, Bytes>(Wire(Rc::clone(&line)));
        let stream_window = 1000 + random.below(70_000) as u32;
        let mut server = End::new(Config { stream_window, ..Config::server() });
        let plans: Vec<(Speech, Speech)> =
            (0..25).map(|_| (Speech::new(&mut random), Speech::new(&mut random))).collect();
        let done = Rc::new(RefCell::new(0));
        let mut tasks: Vec<Task> = vec![Box::pin(calls(opening, plans.clone(), Rc::clone(&done)))];
        let mut talks: Vec<(usize, Talk)> = Vec::new();
        let mut turns = 0;
        while *done.borrow() < plans.len() || !talks.is_empty() {
            turns += 1;
            assert!(turns < TURNS_MAX, "{} of {} are done", done.borrow(), plans.len());
            poll(&mut tasks);
            carry(&line, &mut server);
            while let Some(arrival) = server.connection.next_arrival() {
                let number: usize = std::str::from_utf8(&arrival.head.target[1..]).unwrap().parse().unwrap();
                let (asked, answer) = &plans[number];
                assert_eq!(of_fields(&arrival.head.fields), sorted_list(&asked.fields));
                let key = arrival.stream.unwrap();
                server.connection.send_response(key, &response(103), BodyLength::None, Then::More);
                let mut head = response(200);
                head.fields = own(&answer.fields);
                server.connection.send_response(key, &head, BodyLength::Unknown, Then::More);
                talks.push((number, Talk::new(key, answer.clone())));
            }
            talks.iter_mut().for_each(|talk| talk.1.go_on(&mut server.connection, &mut random));
            talks.retain(|(number, talk)| {
                let is_done = talk.is_said && talk.is_heard;
                if is_done {
                    talk.assert_heard(&plans[*number].0);
                    server.connection.abandon(talk.key);
                }
                !is_done
            });
        }
        (0..10).for_each(|_| {
            poll(&mut tasks);
            carry(&line, &mut server);
        });
        assert_eq!((server.connection.streams(), server.connection.tally().resets_sent), (0, 0));
        assert_whole_alone(&server.connection);
    }
}

fn sorted_list(list: &[(String, String)]) -> Vec<(String, String)> {
    let mut list = list.to_vec();
    list.sort();
    list
}

/// All calls of a client of `h2`, ten or more at a time.
async fn calls(
    opening: impl Future<
        Output = Result<(h2::client::SendRequest<Bytes>, h2::client::Connection<Wire>), h2::Error>,
    >,
    plans: Vec<(Speech, Speech)>,
    done: Rc<RefCell<usize>>,
) {
    let (sender, mut connection) = opening.await.unwrap();
    let mut sender = Some(sender);
    let mut tasks: Vec<Task> = Vec::new();
    let mut waiting = plans.into_iter().enumerate();
    let mut next = waiting.next();
    poll_fn(|context| {
        while let (Some(free), Some((number, _))) = (&mut sender, &next) {
            if tasks.len() >= 20 || !free.poll_ready(context).is_ready() {
                break;
            }
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(format!("https://a.example/{number}"))
                .body(())
                .unwrap();
            let Some((_, (asked, answer))) = next.take() else { break };
            *request.headers_mut() = map(&asked.fields);
            let (response, body) = free.send_request(request, false).unwrap();
            tasks.push(Box::pin(say(body, asked.body, asked.trailers)));
            let done = Rc::clone(&done);
            tasks.push(Box::pin(async move {
                let response = response.await.unwrap();
                assert_eq!(of_map(response.headers()), sorted_list(&answer.fields));
                let heard = hear(response.into_body()).await;
                assert!(heard.body == answer.body && heard.trailers == sorted_list(&answer.trailers));
                *done.borrow_mut() += 1;
            }));
            next = waiting.next();
        }
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        Pin::new(&mut connection).poll(context).map(Result::unwrap)
    })
    .await;
}

#[test]
fn h2_is_the_server() {
    for seed in 10..14 {
        let mut random = Random(seed);
        let line = line(seed);
        let window = 1000 + random.below(70_000) as u32;
        let mut builder = h2::server::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(65_535 + window);
        builder.max_concurrent_streams(10);
        let opening = builder.handshake::<_, Bytes>(Wire(Rc::clone(&line)));
        let stream_window = 1000 + random.below(70_000) as u32;
        let mut client = End::new(Config { stream_window, ..Config::client() });
        let plans: Vec<(Speech, Speech)> =
            (0..25).map(|_| (Speech::new(&mut random), Speech::new(&mut random))).collect();
        let mut tasks: Vec<Task> = vec![Box::pin(serve(opening, plans.clone()))];
        let mut talks: Vec<(usize, Talk, bool)> = Vec::new();
        let (mut next, mut done, mut turns) = (0, 0, 0);
        while done < plans.len() {
            turns += 1;
            assert!(turns < TURNS_MAX, "{done} of {} are done", plans.len());
            poll(&mut tasks);
            carry(&line, &mut client);
            while next < plans.len() && client.connection.is_introduced() && client.connection.can_open(100) {
                let mut head = request(b"POST", BodyLength::Unknown);
                head.set_path(format!("/{next}").as_bytes());
                head.fields = own(&plans[next].0.fields);
                let key = client.connection.send_request(&head, 0);
                talks.push((next, Talk::new(key, plans[next].0.clone()), false));
                next += 1;
            }
            for (number, talk, has_head) in &mut talks {
                if !*has_head && let Some(answer) = next_response(&mut client.connection, talk.key) {
                    let answer = answer.unwrap();
                    assert_eq!(of_fields(&answer.fields), sorted_list(&plans[*number].1.fields));
                    *has_head = true;
                }
                talk.go_on(&mut client.connection, &mut random);
            }
            talks.retain(|(number, talk, has_head)| {
                let is_done = talk.is_said && talk.is_heard && *has_head;
                if is_done {
                    talk.assert_heard(&plans[*number].1);
                    client.connection.abandon(talk.key);
                    done += 1;
                }
                !is_done
            });
        }
        (0..10).for_each(|_| {
            poll(&mut tasks);
            carry(&line, &mut client);
        });
        assert_eq!((client.connection.streams(), client.connection.tally().resets_sent), (0, 0));
        assert_whole_alone(&client.connection);
    }
}

/// A server of `h2` that answers as planned.
async fn serve(
    opening: impl Future<Output = Result<h2::server::Connection<Wire, Bytes>, h2::Error>>,
    plans: Vec<(Speech, Speech)>,
) {
    let mut connection = opening.await.unwrap();
    let mut tasks: Vec<Task> = Vec::new();
    poll_fn(|context| {
        while let Poll::Ready(Some(accepted)) = connection.poll_accept(context) {
            let (request, mut respond) = accepted.unwrap();
            let number: usize = request.uri().path()[1..].parse().unwrap();
            let (asked, answer) = plans[number].clone();
            assert_eq!(of_map(request.headers()), sorted_list(&asked.fields));
            let mut head = Response::new(());
            *head.headers_mut() = map(&answer.fields);
            let body = respond.send_response(head, false).unwrap();
            tasks.push(Box::pin(say(body, answer.body, answer.trailers)));
            tasks.push(Box::pin(async move {
                let heard = hear(request.into_body()).await;
                assert!(heard.body == asked.body && heard.trailers == sorted_list(&asked.trailers));
            }));
        }
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        Poll::<()>::Pending
    })
    .await;
}
