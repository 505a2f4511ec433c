#!/usr/bin/env node
// gRPC-Web and gRPC with a third client, Connect, through a gateway to a server of the second stack (grpc-js).
//
// usage: connect.js WEB PLAIN SECURE CA SERVER
//
// The gateway's port WEB is one of GRPC-WEB, PLAIN of gRPC in plain text, SECURE of TLS; all lead `plain.grpc.test` to SERVER
// with HTTP/2 in plain text, and this program listens there. Prints a line for each case and `N passed, M failed`.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const {create, fromBinary, toBinary} = require('@bufbuild/protobuf');
const {BytesValueSchema} = require('@bufbuild/protobuf/wkt');
const {Code} = require('@connectrpc/connect');
const {createGrpcTransport, createGrpcWebTransport} = require('@connectrpc/connect-node');
const grpc = require('@grpc/grpc-js');

const [WEB, PLAIN, SECURE, CA, SERVER] = process.argv.slice(2);
const PATIENCE_MS = 20000;
const SERVICE = 'interop.Third';
const COPIES = 50;
// More than any buffer on the way.
const LARGE = 1_000_003;
const TEXT = 'why: ☺ 100%';

const bytes = (size) => Uint8Array.from({length: size}, (_, at) => (at * 7 + (at >> 8)) & 0xff);
const message = (size) => create(BytesValueSchema, {value: bytes(size)});

// A description that a compiler of protobuf would make.
const describe = (name, methodKind) => ({
    kind: 'rpc',
    name,
    localName: name,
    methodKind,
    parent: {typeName: SERVICE},
    input: BytesValueSchema,
    output: BytesValueSchema,
    idempotency: 0,
    deprecated: false,
    toString: () => `rpc ${SERVICE}.${name}`,
});
const METHODS = {mirror: describe('Mirror', 'unary'), copies: describe('Copies', 'server_streaming')};

const serve = async () => {
    const method = (name, responseStream) => ({
        path: `/${SERVICE}/${name}`,
        requestStream: false,
        responseStream,
        requestSerialize: (value) => Buffer.from(toBinary(BytesValueSchema, value)),
        requestDeserialize: (data) => fromBinary(BytesValueSchema, data),
        responseSerialize: (value) => Buffer.from(toBinary(BytesValueSchema, value)),
        responseDeserialize: (data) => fromBinary(BytesValueSchema, data),
    });
    // What a call is to end with, and metadata that come back as trailers.
    const end = (call) => {
        const [code] = call.metadata.get('x-code');
        const trailing = new grpc.Metadata();
        call.metadata.get('x-trailing').forEach((value) => trailing.add('x-trailing', value));
        return [code && {code: Number(code), details: TEXT, metadata: trailing}, trailing];
    };
    const server = new grpc.Server();
    server.addService({mirror: method('Mirror', false), copies: method('Copies', true)}, {
        mirror: (call, done) => {
            const [error, trailing] = end(call);
            done(error, error ? null : call.request, trailing);
        },
        copies: (call) => {
            const [error, trailing] = end(call);
            for (let at = 0; at < COPIES; at += 1) call.write(call.request);
            if (error) call.emit('error', error);
            else call.end(trailing);
        },
    });
    await new Promise((done, failed) =>
        server.bindAsync(`127.0.0.1:${SERVER}`, grpc.ServerCredentials.createInsecure(), (error) => (error ? failed(error) : done())));
};

const CASES = {
    async unary(transport) {
        for (const size of [0, 1, 2, 3, LARGE]) {
            const answer = await transport.unary(METHODS.mirror, undefined, PATIENCE_MS, {}, message(size));
            assert.deepStrictEqual(Buffer.from(answer.message.value), Buffer.from(bytes(size)));
        }
    },
    async trailers(transport) {
        const answer = await transport.unary(METHODS.mirror, undefined, PATIENCE_MS, {'x-trailing': 'value'}, message(3));
        assert.strictEqual(answer.trailer.get('x-trailing'), 'value');
    },
    async server_streaming(transport) {
        const input = (async function* () {
            yield message(3001);
        })();
        const answer = await transport.stream(METHODS.copies, undefined, PATIENCE_MS, {'x-trailing': 'value'}, input);
        let count = 0;
        for await (const copy of answer.message) {
            assert.strictEqual(copy.value.length, 3001);
            count += 1;
        }
        assert.deepStrictEqual([count, answer.trailer.get('x-trailing')], [COPIES, 'value']);
    },
    async errors(transport) {
        for (const code of [1, 5, 12, 14, 16]) {
            const call = transport.unary(METHODS.mirror, undefined, PATIENCE_MS, {'x-code': `${code}`}, message(3));
            const error = await call.then(() => assert.fail('it ended well'), (failure) => failure);
            assert.deepStrictEqual([error.code, error.rawMessage], [code, TEXT]);
        }
    },
    async error_after_messages(transport) {
        const input = (async function* () {
            yield message(10);
        })();
        const answer = await transport.stream(METHODS.copies, undefined, PATIENCE_MS, {'x-code': '9', 'x-trailing': 'v'}, input);
        let count = 0;
        const read = async () => {
            for await (const copy of answer.message) count += copy.value.length / 10;
        };
        const error = await read().then(() => assert.fail('it ended well'), (failure) => failure);
        assert.deepStrictEqual([count, error.code, error.rawMessage], [COPIES, Code.FailedPrecondition, TEXT]);
    },
};

const main = async () => {
    await serve();
    // The names are those of the gateway's routes, and all of them are here.
    const lookup = (name, options, done) => (options.all ? done(null, [{address: '127.0.0.1', family: 4}]) : done(null, '127.0.0.1', 4));
    const options = (port, scheme = 'http') => ({
        baseUrl: `${scheme}://plain.grpc.test:${port}`,
        nodeOptions: {lookup, ...(scheme === 'https' ? {ca: fs.readFileSync(CA)} : {})},
    });
    const transports = {
        'gRPC-Web over HTTP/1.1': createGrpcWebTransport({...options(WEB), httpVersion: '1.1'}),
        'gRPC-Web over HTTP/2': createGrpcWebTransport({...options(WEB), httpVersion: '2'}),
        'gRPC in plain text': createGrpcTransport(options(PLAIN)),
        'gRPC by TLS': createGrpcTransport(options(SECURE, 'https')),
    };
    let [passed, failed] = [0, 0];
    for (const [kind, transport] of Object.entries(transports)) {
        for (const [name, run] of Object.entries(CASES)) {
            try {
                await run(transport);
                passed += 1;
                console.log(`${kind}: ${name}: passed`);
            } catch (error) {
                failed += 1;
                console.log(`${kind}: ${name}: FAILED\n${error.stack}\n${error.cause?.stack ?? ''}`);
            }
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
};

main();
