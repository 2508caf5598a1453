// SPDX-License-Identifier: GPL-2.0-or-later
// Asks Perfetto's own trace processor (its WebAssembly build, as its UI loads it) about a trace.
// Usage: node query.mjs DIR TRACE < queries; each query is a line, each row of an answer a line of
// values with tabs between, an empty line ends an answer. DIR is what tools/trace-processor fetched.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const [dir, trace] = process.argv.slice(2).map((p) => resolve(p));

// The loader expects a browser's worker, and shows its bridge to nobody.
const changes = [
  ['this.useMemory64 = hasMemory64Support();', 'this.useMemory64 = false;'],
  ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: globalThis.tpBinary,'],
  [/const wasmBridge = (new [\w.]+\(\));/, 'const wasmBridge = globalThis.tpBridge = $1;'],
];
let loader = readFileSync(join(dir, 'engine_bundle.node.js'), 'utf8');
for (const [from, to] of changes) {
  const changed = loader.replace(from, to);
  if (changed === loader) throw new Error(`the loader has no ${from}`);
  loader = changed;
}
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = function () {};
globalThis.location = { href: pathToFileURL(dir).href + '/' };
globalThis.tpBinary = new Uint8Array(readFileSync(join(dir, 'trace_processor.wasm')));
const { EngineBase } = await import(pathToFileURL(join(dir, 'engine.mjs')).href);
const quiet = console.warn;
console.warn = (...a) => JSON.stringify(a[0] ?? '').includes('QueryResult field') || quiet(...a);
vm.runInThisContext(loader, { filename: 'engine_bundle.js' });

const { port1, port2 } = new MessageChannel();
globalThis.tpBridge.initialize(port1);

class Engine extends EngineBase {
  mode = 'WASM';
  id = 'query';
  constructor() {
    super();
    port2.onmessage = (m) => m.data instanceof Uint8Array && this.onRpcResponseBytes(m.data);
  }
  rpcSendRequestBytes(data) {
    port2.postMessage(data);
  }
}
const engine = new Engine();
await new Promise((done) => setTimeout(done, Number(process.env.TP_START_MS ?? 1500)));
await engine.parse(new Uint8Array(readFileSync(trace)));
await engine.notifyEof();

for await (const sql of createInterface({ input: process.stdin })) {
  if (!sql.trim()) continue;
  const result = await engine.query(sql);
  const columns = result.columns();
  for (const it = result.iter({}); it.valid(); it.next())
    console.log(columns.map((c) => it.get(c)).join('\t'));
  console.log('');
}
process.exit(0);
