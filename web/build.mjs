// SPDX-License-Identifier: GPL-2.0-or-later
// Checks and bundles the page, and makes it a C file: the text before the data and the text behind it.
// Usage: node build.mjs TSC ESBUILD OUT.c
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [tsc, esbuild, out] = process.argv.slice(2);

function run(program, args) {
	try {
		return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
	} catch (e) {
		process.stderr.write(`${e.stdout ?? ''}${e.stderr ?? ''}${program} failed\n`);
		process.exit(1);
	}
}

run(tsc, ['-p', join(here, 'tsconfig.json')]);
const target = '--target=chrome90,firefox113,safari16';
const script = run(esbuild, [join(here, 'src/main.ts'), '--bundle', '--minify', '--format=iife',
	'--charset=ascii', '--log-level=warning', target]).trim();
const style = run(esbuild, [join(here, 'src/style.css'), '--minify', '--charset=ascii', target]).trim();
if (/<\/(script|style)/i.test(script + style))
	throw new Error('the bundle would end its own element');

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; ` +
	"img-src data:; base-uri 'none'; form-action 'none'";
const page = readFileSync(join(here, 'src/page.html'), 'utf8')
	.replace('@POLICY@', () => policy)
	.replace('@STYLE@', () => style)
	.replace('@SCRIPT@', () => script);
const [head, tail] = page.split('<!-- DATA -->\n');
if (!tail)
	throw new Error('page.html has no place for the data');

function array(name, text) {
	const bytes = Buffer.from(text, 'utf8');
	let rows = '';
	for (let i = 0; i < bytes.length; i += 24)
		rows += `\t${bytes.subarray(i, i + 24).join(',')},\n`;
	return `const char ${name}[] = {\n${rows}};\nconst size_t ${name}_bytes = sizeof(${name});\n`;
}
if (/[^\x00-\x7f]/.test(page))
	throw new Error('page.html must be ASCII: its bytes become chars');
writeFileSync(out, `#include "sink/html_parts.h"\n\n${array('html_head', head)}${array('html_tail', tail)}`);
