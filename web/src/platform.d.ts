// SPDX-License-Identifier: GPL-2.0-or-later
// What browsers have and the types of TypeScript 4.8 lack.
declare class DecompressionStream {
	constructor(format: 'deflate' | 'gzip' | 'deflate-raw');
	readonly readable: ReadableStream<Uint8Array>;
	readonly writable: WritableStream<Uint8Array>;
}
