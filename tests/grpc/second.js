#!/usr/bin/env node
// gRPC's interoperability cases with a second stack, that of JavaScript (grpc-js), on both sides of a gateway.
//
// usage: second.js PLAIN SECURE CA SERVER SECURE_SERVER CERTIFICATE KEY
//
// As `cases.py` beside this file, whose arguments these are: the gateway's ports PLAIN and SECURE lead `plain.grpc.test` to
// SERVER in plain text and `tls.grpc.test` to SECURE_SERVER by TLS. A message is a number as text, then a payload: how long
// the answer is to be. Prints a line for each case and `N passed, M failed`.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');

const [PLAIN, SECURE, CA, SERVER, SECURE_SERVER, CERTIFICATE, KEY] = process.argv.slice(2);
const PATIENCE_MS = 20000;
const MESSAGE_MAX = 32 << 20;
const LIMITS = {'grpc.max_receive_message_length': MESSAGE_MAX, 'grpc.max_send_message_length': MESSAGE_MAX};
// More than any window of a stream, and no multiple of one.
const HUGE = (4 << 20) + 4321;
const STREAMS = 100;
const same = (bytes) => bytes;

const payload = (size) => {
    const bytes = Buffer.alloc(size + 4);
    for (let at = 0; at < size; at += 4) bytes.writeUInt32BE(at / 4, at);
    return bytes.subarray(0, size);
};
const ask = (size, more = 0) => Buffer.concat([Buffer.from(`${size}\n`), payload(more)]);
const asked = (request) => Number(request.subarray(0, request.indexOf(10)).toString());
const equalBytes = (found, expected) => assert.ok(found.equals(expected), `${found.length} bytes, not ${expected.length}`);

// What the server is told and tells by the name of a call.
const waiting = new Map();
const seen = (name) => {
    if (!waiting.has(name)) {
        const entry = {isDone: false};
        entry.promise = new Promise((done) => (entry.done = () => done((entry.isDone = true))));
        waiting.set(name, entry);
    }
    return waiting.get(name);
};

const method = (name, requestStream, responseStream) => ({
    path: `/interop.Second/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
});
const SERVICE = {
    unary: method('Unary', false, false),
    sleep: method('Sleep', false, false),
    fail: method('Fail', false, false),
    collect: method('Collect', true, false),
    stream: method('Stream', false, true),
    duplex: method('Duplex', true, true),
};
const Client = grpc.makeClientConstructor(SERVICE, 'interop.Second');

const METHODS = {
    unary: (call, done) => {
        const initial = new grpc.Metadata();
        call.metadata.get('x-initial').forEach((value) => initial.add('x-initial', value));
        call.sendMetadata(initial);
        const trailing = new grpc.Metadata();
        call.metadata.get('x-trailing-bin').forEach((value) => trailing.add('x-trailing-bin', value));
        done(null, payload(asked(call.request)), trailing);
    },
    sleep: (call) => {
        const [name] = call.metadata.get('x-call');
        call.on('cancelled', () => seen(`${name} ended`).done());
        seen(`${name} began`).done();
    },
    fail: (call, done) => done({code: asked(call.request), details: 'why: ☺ 100% \n'}),
    collect: (call, done) => {
        let length = 0;
        call.on('data', (request) => (length += request.length));
        call.on('end', () => done(null, Buffer.from(`${length}`)));
    },
    stream: (call) => {
        for (let at = 0; at < 200; at += 1) call.write(payload(asked(call.request) + at));
        call.end();
    },
    duplex: (call) => {
        const [name] = call.metadata.get('x-call');
        call.on('cancelled', () => seen(`${name} ended`).done());
        call.on('data', (request) => call.write(payload(asked(request))));
        call.on('end', () => call.end());
    },
};

const serve = async (port, credentials) => {
    const server = new grpc.Server(LIMITS);
    server.addService(SERVICE, METHODS);
    await new Promise((done, failed) =>
        server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => (error ? failed(error) : done())));
};

const client = (host, isSecure) => {
    const options = {...LIMITS, 'grpc.enable_http_proxy': 0, 'grpc.default_authority': host, 'grpc.use_local_subchannel_pool': 1};
    if (!isSecure) return new Client(`127.0.0.1:${PLAIN}`, grpc.credentials.createInsecure(), options);
    const credentials = grpc.credentials.createSsl(fs.readFileSync(CA));
    return new Client(`127.0.0.1:${SECURE}`, credentials, {...options, 'grpc.ssl_target_name_override': host});
};

let calls = 0;
const named = () => {
    const [name, metadata] = [`call-${(calls += 1)}`, new grpc.Metadata()];
    metadata.set('x-call', name);
    return [name, metadata];
};
const options = (milliseconds = PATIENCE_MS) => ({deadline: Date.now() + milliseconds});

// The answer of a unary call, with the metadata around it.
const unary = (stub, name, request, metadata = new grpc.Metadata(), more = options()) =>
    new Promise((done, failed) => {
        const result = {};
        const call = stub[name](request, metadata, more, (error, answer) => {
            result.answer = answer;
            if (error) failed(error);
        });
        call.on('metadata', (initial) => (result.initial = initial));
        call.on('status', (status) => {
            result.status = status;
            // The answer, if there is one, is told in another turn.
            setImmediate(() => done(result));
        });
    });
const fails = async (promise, code) => {
    const error = await promise.then(() => assert.fail('it ended well'), (failure) => failure);
    assert.strictEqual(error.code, code, `${error.code} ${error.details ?? error}`);
    return error;
};
const collected = (stream) =>
    new Promise((done, failed) => {
        const answers = [];
        stream.on('data', (answer) => answers.push(answer));
        stream.on('error', failed);
        stream.on('end', () => done(answers));
    });

const CASES = {
    async messages_of_all_sizes(stub) {
        for (const size of [0, 1, 271828, 314159, HUGE]) {
            equalBytes((await unary(stub, 'unary', ask(size, size))).answer, payload(size));
        }
    },
    async metadata(stub) {
        const metadata = new grpc.Metadata();
        metadata.set('x-initial', 'initial value');
        metadata.set('x-trailing-bin', Buffer.from([0xab, 0, 0xff, 10]));
        const {initial, status} = await unary(stub, 'unary', ask(3), metadata);
        assert.deepStrictEqual(initial.get('x-initial'), ['initial value']);
        assert.deepStrictEqual(status.metadata.get('x-trailing-bin'), [Buffer.from([0xab, 0, 0xff, 10])]);
    },
    async statuses(stub) {
        for (let code = 1; code <= 16; code += 1) {
            assert.strictEqual((await fails(unary(stub, 'fail', ask(code)), code)).details, 'why: ☺ 100% \n');
        }
    },
    async deadline(stub) {
        let name;
        let metadata;
        // A call that is over before it has come to the server is made again with more time.
        for (const milliseconds of [600, 2000, 8000]) {
            [name, metadata] = named();
            await fails(unary(stub, 'sleep', ask(0), metadata, options(milliseconds)), grpc.status.DEADLINE_EXCEEDED);
            if (seen(`${name} began`).isDone) break;
        }
        await seen(`${name} ended`).promise;
    },
    async cancelled(stub) {
        const [name, metadata] = named();
        const ended = new Promise((done) => {
            const call = stub.sleep(ask(0), metadata, options(), (error) => done(error.code));
            seen(`${name} began`).promise.then(() => call.cancel());
        });
        assert.strictEqual(await ended, grpc.status.CANCELLED);
        await seen(`${name} ended`).promise;
    },
    async streams_of_the_client(stub) {
        const answer = new Promise((done, failed) => {
            const call = stub.collect(new grpc.Metadata(), options(), (error, value) => (error ? failed(error) : done(value)));
            for (let at = 0; at < 200; at += 1) call.write(payload(27182));
            call.end();
        });
        assert.strictEqual((await answer).toString(), `${200 * 27182}`);
    },
    async streams_of_the_server(stub) {
        const answers = await collected(stub.stream(ask(31415), new grpc.Metadata(), options()));
        assert.strictEqual(answers.length, 200);
        answers.forEach((answer, at) => equalBytes(answer, payload(31415 + at)));
    },
    async ping_pong(stub) {
        const call = stub.duplex(named()[1], options());
        for (const size of [31415, 0, 9, 58979]) {
            const answer = new Promise((done, failed) => call.once('data', done).once('error', failed));
            call.write(ask(size, size));
            equalBytes(await answer, payload(size));
        }
        call.end();
        assert.deepStrictEqual(await collected(call), []);
    },
    async cancelled_in_a_stream(stub) {
        const [name, metadata] = named();
        const call = stub.duplex(metadata, options());
        call.write(ask(5));
        equalBytes(await new Promise((done, failed) => call.once('data', done).once('error', failed)), payload(5));
        const end = fails(collected(call), grpc.status.CANCELLED);
        call.cancel();
        await end;
        await seen(`${name} ended`).promise;
    },
    async many_streams(stub) {
        const open = [...Array(STREAMS).keys()].map(() => stub.duplex(named()[1], options()));
        const answers = open.map((call, at) => {
            const answer = new Promise((done, failed) => call.once('data', done).once('error', failed));
            call.write(ask(at));
            return answer;
        });
        (await Promise.all(answers)).forEach((answer, at) => equalBytes(answer, payload(at)));
        open.forEach((call) => call.end());
        await Promise.all(open.map(collected));
    },
};

const within = (promise) => {
    let timer;
    const late = new Promise((_, failed) => (timer = setTimeout(() => failed(new Error('it does not end')), PATIENCE_MS)));
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

const main = async () => {
    await serve(SERVER, grpc.ServerCredentials.createInsecure());
    const pair = {cert_chain: fs.readFileSync(CERTIFICATE), private_key: fs.readFileSync(KEY)};
    await serve(SECURE_SERVER, grpc.ServerCredentials.createSsl(null, [pair]));
    let [passed, failed] = [0, 0];
    for (const isSecure of [false, true]) {
        for (const host of ['plain.grpc.test', 'tls.grpc.test']) {
            const stub = client(host, isSecure);
            for (const [name, run] of Object.entries(CASES)) {
                const title = `${isSecure ? 'TLS' : 'h2c'} to ${host}: ${name}`;
                try {
                    await within(run(stub));
                    passed += 1;
                    console.log(`${title}: passed`);
                } catch (error) {
                    failed += 1;
                    console.log(`${title}: FAILED\n${error.stack}`);
                }
            }
            stub.close();
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
};

main();
