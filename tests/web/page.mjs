// SPDX-License-Identifier: GPL-2.0-or-later
// The page of "onetsc export --to html" in a headless Chromium.
// Usage: node page.mjs ONETSC TRUTH-GEN [million|ways|hostile|broken|view]…; prints TAP
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Browser, done, ok, same } from './browser.mjs';

const [onetsc, gen] = process.argv.slice(2, 4).map(p => resolve(p)), wanted = process.argv.slice(4);
if (!Browser.program()) {
	console.log('1..0 # SKIP no Chromium here (Debian package chromium)');
	process.exit(77);
}
const SHIFT = 8;
const dir = mkdtempSync(join(tmpdir(), 'onetsc-page-'));
const browser = new Browser();

const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'], cwd: dir });
const bounds = "(() => { const r = document.getElementById('lanes').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()";
const median = (v, q = 0.5) => [...v].sort((a, b) => a - b)[Math.min(v.length - 1, Math.floor(v.length * q))];

function makePage(name, ...args) {
	const began = Date.now();
	run(onetsc, 'export', '--to', 'html', '-o', `${name}.html`, ...args);
	console.log(`# ${name}: written in ${Date.now() - began} ms, ${(statSync(join(dir, `${name}.html`)).size / 1e6).toFixed(1)} MB`);
	return `file://${dir}/${name}.html`;
}

function world(name, seed, events, ...without) {
	run(gen, '--seed', String(seed), '--events', String(events), '--session', ...without.flatMap(w => ['--without', w]), `${name}.onetsc`);
	return `${name}.onetsc`;
}

/** Nothing may come from anywhere but the file, and nothing may be complained about. */
function quiet(page, url) {
	const foreign = page.requests.filter(r => r.split('#')[0] !== url && r !== 'data:,');
	ok(!foreign.length, 'no request but for the file itself', foreign.join('\n'));
	ok(!page.errors.length, 'no error, no console message', page.errors.join('\n'));
}

/** A million events: how long it takes is printed, not judged. */
async function million() {
	const url = makePage('million', world('million', 8, 890000, 'loss', 'host-loss', 'edges', 'steps'));
	const page = await browser.page(url);
	const t = await page.eval('({ loaded: onetsc.loaded_ms, painted: onetsc.painted_ms, n: onetsc.state.rec.n })');
	ok(t.n >= 1e6, `${t.n} events are shown`);
	console.log(`# read in ${t.loaded.toFixed(0)} ms, first picture after ${t.painted.toFixed(0)} ms`);
	const frames = await page.eval(`(() => {
		const { state, draw, frames } = onetsc, mid = state.rec.span * 0.437, out = [];
		for (const way of [0.8, 1.25])
			for (let i = 0; i < 45; i++) {
				state.show(mid - (mid - state.t0) * way, mid + (state.t1 - mid) * way);
				const began = performance.now();
				draw();
				out.push(performance.now() - began);
			}
		return out;
	})()`);
	console.log(`# a frame while zooming: median ${median(frames).toFixed(1)} ms, 95 % ${median(frames, 0.95).toFixed(1)} ms, longest ${Math.max(...frames).toFixed(1)} ms (no GPU)`);
	const [x, y, w, h] = await page.eval(bounds);
	await page.mouse('mouseWheel', x + w / 2, y + h / 2, { deltaX: 0, deltaY: -600 });
	await page.settle();
	ok(await page.eval('onetsc.state.t1 - onetsc.state.t0 < onetsc.state.rec.span * 0.8'), 'the wheel zooms in');
	quiet(page, url);
	await page.close();
}

async function details(page) {
	return page.eval("Object.fromEntries([...document.querySelectorAll('#facts dt')].map(dt => [dt.textContent, dt.nextElementSibling.textContent]))");
}

const plain = text => text.replace(/\u2009/g, '');

/** Events on the page are those of report, with every field. */
async function sameAsReport(page, session) {
	const lines = run(onetsc, 'report', '--json', session).trim().split('\n').map(l => JSON.parse(l)).filter(e => e.event);
	same(await page.eval('onetsc.state.rec.n'), lines.length, 'as many events as report has');
	const wrong = [];
	for (let i = 0; i < lines.length; i += Math.ceil(lines.length / 40)) {
		await page.eval(`onetsc.state.choose({ type: 'event', i: ${i} })`);
		await page.until("document.querySelector('#facts dl')");
		await page.eval('new Promise(done => setTimeout(done, 30))');
		const shown = await details(page), e = lines[i];
		const title = await page.eval("document.querySelector('#facts h3').textContent");
		const raw = plain(shown['guest ticks (raw)'] ?? shown['raw ticks'] ?? '');
		if (title !== `${e.system}:${e.event}` || plain(shown['host ticks']) !== e.ticks || raw !== e.raw_ticks)
			wrong.push(`${i}: ${title} ${JSON.stringify(shown)} ${JSON.stringify(e)}`);
		for (const [name, value] of Object.entries(e.fields))
			if (plain(shown[name] ?? 'missing') !== String(value ?? '(none)') && name !== 'task')
				wrong.push(`${i}: ${name} is ${shown[name]}, not ${value}`);
	}
	ok(!wrong.length, 'tick, stamp and fields of events are those of report --json', wrong.slice(0, 5).join('\n'));
	return lines;
}

async function tables(page) {
	const rows = () => page.eval("[...document.querySelectorAll('#exits tbody tr')].map(r => [...r.cells].map(c => c.textContent))");
	const all = await rows();
	ok(all.length > 1 && all[0].length === 7, `the table has ${all.length} kinds of exits`);
	const sum = list => list.reduce((n, r) => n + Number(plain(r[1])), 0);
	same(sum(all), await page.eval('onetsc.state.rec.exits.n'), 'its counts are those of all exits');
	await page.eval("document.querySelectorAll('#exits th button')[1].click()");
	const counts = (await rows()).map(r => Number(plain(r[1])));
	ok(counts.every((n, i) => !i || n <= counts[i - 1]), 'a click on a heading sorts by it');
	await page.eval("(() => { const f = document.getElementById('filter'); f.value = 'HLT'; f.dispatchEvent(new Event('input')); })()");
	const filtered = await rows();
	ok(filtered.length && filtered.every(r => /hlt/i.test(r[0])), 'the filter leaves what it names', JSON.stringify(filtered));
	await page.eval("(() => { const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()");
	await page.eval("document.querySelector('#exits tbody tr').click()");
	await page.settle();
	const pick = await page.eval('(() => { const { pick, rec, t0, t1 } = onetsc.state; return pick?.type === "exit" && [rec.exits.from[pick.i], rec.exits.to[pick.i], t0, t1]; })()');
	ok(pick && pick[0] >= pick[2] && pick[1] <= pick[3] && (pick[1] - pick[0]) / (pick[3] - pick[2]) > 0.02, 'a row leads to its longest exit', pick);
	const [x, y, w] = await page.eval(bounds);
	await page.drag(x + w * 0.4, x + w * 0.6, y + 60, SHIFT);
	await page.settle();
	const window = await page.eval('onetsc.state.window');
	ok(window && window[1] > window[0], 'Shift and drag measure a window', window);
	const inside = await page.eval(`(() => { const e = onetsc.state.rec.exits; return e.from.filter(t => t >= ${window[0]} && t <= ${window[1]}).length; })()`);
	const left = await rows();
	same(left[0].length === 7 ? sum(left) : 0, inside, 'the table is then about the window');
}

async function keyboard(page) {
	const view = () => page.eval('[onetsc.state.t0, onetsc.state.t1]');
	const width = v => v[1] - v[0];
	await page.eval("document.activeElement.blur()");
	await page.key('Escape');
	await page.key('0');
	await page.settle();
	const whole = await view();
	for (const [key, test, what] of [
		['w', (a, b) => width(b) < width(a), 'W zooms in'], ['d', (a, b) => b[0] > a[0], 'D moves on'],
		['a', (a, b) => b[0] < a[0], 'A moves back'], ['s', (a, b) => width(b) > width(a), 'S zooms out'],
	]) {
		const before = await view();
		await page.key(key);
		await page.settle();
		ok(test(before, await view()), what);
	}
	await page.key('0');
	await page.settle();
	same(JSON.stringify(await view()), JSON.stringify(whole), '0 shows the whole');
	await page.key('?');
	ok(await page.eval("document.getElementById('help').open && document.querySelectorAll('#help tr').length > 10"), '? opens the help');
	await page.eval("document.getElementById('help').close()");
	await page.eval('onetsc.state.choose({ type: "event", i: 100 })');
	await page.key('ArrowRight');
	await page.settle();
	ok(await page.eval('onetsc.state.pick.i > 100 && onetsc.state.rec.lane[onetsc.state.pick.i] === onetsc.state.rec.lane[100]'), 'the right arrow goes to the next event of the row');
	await page.key('Escape');
	await page.key('Escape');
	ok(await page.eval('!onetsc.state.pick && !onetsc.state.window'), 'Escape gives up choice and window');
	const was = await page.eval("document.documentElement.dataset.theme");
	await page.key('t');
	ok(await page.eval("document.documentElement.dataset.theme") !== was, 'T changes the theme');
}

async function search(page, lines) {
	await page.key('/');
	same(await page.eval('document.activeElement.id'), 'query', '/ goes to the search');
	await page.type('sched_switch');
	await page.key('Enter');
	const n = lines.filter(e => e.event === 'sched_switch').length;
	await page.until(`onetsc.state.matches.length === ${n}`);
	ok(n > 10, `${n} events are found by name`);
	await page.settle();
	const name = 'onetsc.state.rec.meta.kinds[onetsc.state.rec.kind[onetsc.state.pick.i]].name';
	same(await page.eval(name), 'sched_switch', 'Enter goes to one');
	const first = await page.eval('onetsc.state.pick.i');
	await page.key('Enter');
	await page.settle();
	ok(await page.eval('onetsc.state.pick.i') > first, 'and to the next');
	const e = lines.find(l => l.event === 'sched_switch');
	await page.eval(`(() => { const q = document.getElementById('query'); q.value = 'next_pid=${e.fields.next_pid}'; q.dispatchEvent(new Event('input')); })()`);
	const byField = lines.filter(l => String(l.fields.next_pid ?? '').includes(String(e.fields.next_pid))).length;
	await page.until(`onetsc.state.matches.length === ${byField}`);
	ok(byField, `${byField} are found by a field`);
}

async function restore(page, url) {
	await page.eval("(() => { const s = onetsc.state; s.choose({ type: 'event', i: 200 }); s.setWindow([s.rec.span / 4, s.rec.span / 2]); s.show(s.rec.span / 5, s.rec.span / 1.5); })()");
	await page.settle();
	const look = "JSON.stringify([onetsc.state.t0, onetsc.state.t1, onetsc.state.window, onetsc.state.pick, onetsc.state.matches.length, document.documentElement.dataset.theme, document.querySelector('#facts').textContent].map(v => Array.isArray(v) ? v.map(Math.round) : typeof v === 'number' ? Math.round(v) : v))";
	const before = await page.eval(look), hash = await page.eval('location.hash');
	const again = await browser.page(url + hash);
	await again.until('onetsc.state.matches.length > 0');
	await again.settle();
	same(await again.eval(look), before, 'the address brings back view, window, choice, search and theme');
	quiet(again, url);
	await again.close();
	const odd = await browser.page(`${url}#t=NaN,1&w=9,1&s=e99999999&theme=%3Cb%3E&closed=77`);
	ok(await odd.eval('!onetsc.state.pick && !onetsc.state.window && onetsc.state.t1 > onetsc.state.t0'), 'a wrong address shows the whole');
	quiet(odd, url);
	await odd.close();
}

async function ways() {
	const session = world('ways', 5, 6000);
	const url = makePage('ways', session);
	const page = await browser.page(url);
	await page.settle();
	const lines = await sameAsReport(page, session);
	await tables(page);
	await keyboard(page);
	await search(page, lines);
	await restore(page, url);
	await page.mouse('mouseWheel', 700, 400, { deltaX: 0, deltaY: -5000, modifiers: SHIFT });
	await page.settle();
	const [x, y] = await page.eval(bounds);
	const rows = await page.eval('onetsc.state.tracks.all.length');
	await page.click(x + 60, y + 36);
	await page.settle();
	ok(rows > 2 && await page.eval('!onetsc.state.tracks.groups[0].open'), 'a click on a machine closes it');
	const pdf = await page.send('Page.printToPDF', { landscape: true });
	ok(Buffer.from(pdf.data, 'base64').length > 5000, 'it prints');
	quiet(page, url);
	await page.close();
}

/** Names and texts that a guest chose. */
async function hostile() {
	const names = ['</script><img/src=x', '<svg onload=a()>', '"\'><b>\u2028\u202e', '{{x}}${pwned=1}'];
	const text = names.map((n, i) => `  ${n.slice(0, 15)}-${4000 + i} [00${i % 2}] ${1000000 + 1000 * i}: evil: </script><script>pwned=1</script> <img src=x onerror=pwned=1> ${n}\n`).join('');
	writeFileSync(join(dir, 'evil.txt'), text);
	const url = makePage('hostile', '--text', 'evil.txt');
	const source = readFileSync(join(dir, 'hostile.html'), 'utf8');
	ok(!/pwned|onerror|evil/.test(source), 'nothing of the recording stands in the file as it is');
	const page = await browser.page(url);
	await page.settle();
	same(await page.eval('onetsc.state.rec.n'), names.length, 'the events are there');
	const seen = [];
	for (let i = 0; i < names.length; i++) {
		await page.eval(`onetsc.state.choose({ type: 'event', i: ${i} })`);
		await page.until(`/0\\.|ticks/.test(document.querySelector('#facts').textContent)`);
		await page.settle();
		seen.push(JSON.stringify(await details(page)));
		const [x, y] = await page.eval(bounds);
		await page.mouse('mouseMoved', x + 300 + i, y + 40 + 10 * i);
	}
	ok(seen.every(s => s.includes('<img src=x onerror=pwned=1>')), 'they are shown letter by letter', seen.join('\n'));
	ok(!seen.some(s => /\u2028|\u202e/.test(s)), 'marks that turn text around are shown as such');
	same(await page.eval("typeof window.pwned + document.querySelectorAll('#facts img, #facts b, #facts script, #tip img, body > img').length"), 'undefined0', 'nothing of them ran or became an element');
	quiet(page, url);
	await page.close();
}

/** A file that was cut says so. */
async function broken() {
	const whole = makePage('cut', world('cut', 5, 3000)).slice('file://'.length);
	const text = readFileSync(whole, 'utf8'), script = text.match(/<script>[^]*<\/script>/)[0];
	const first = text.indexOf('<script type'), end = text.indexOf('<script>');
	for (const part of [0.3, 0.6, 0.98]) {
		const path = whole.replace('cut.html', `cut${part}.html`);
		/* as if only the data were cut: without the script there is nobody to say so */
		writeFileSync(path, `${text.slice(0, Math.floor(first + (end - first) * part))}</script>${script}`);
		const page = await browser.page(`file://${path}`, { ready: false });
		await page.until("/cannot show|not whole|damaged/.test(document.getElementById('loading').textContent) || document.documentElement.dataset.ready");
		const said = await page.eval("document.getElementById('loading').textContent");
		ok(/cannot show/.test(said), `a page cut at ${part} says that it is`, said);
		await page.close();
	}
}

/** What onetsc view opens, and what its server gives to whom. */
async function view() {
	const session = world('view', 5, 3000), program = `${dir}/bin`;
	mkdirSync(program);
	chmodSync(dir, 0o777);
	writeFileSync(`${program}/xdg-open`, `#!/bin/sh\necho "$(id -u) $1" >${dir}/opened.tmp && mv ${dir}/opened.tmp ${dir}/opened\n`, { mode: 0o755 });
	const env = { ...process.env, PATH: `${program}:${process.env.PATH}`, DISPLAY: ':99', ...(process.getuid() ? {} : { SUDO_UID: '65534', SUDO_GID: '65534' }) };
	const address = execFileSync(onetsc, ['view', session], { cwd: dir, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
	same(address, `file://${dir}/view.html`, 'view says the address of the page');
	for (let i = 0; i < 100 && !existsSync(`${dir}/opened`); i++)
		await new Promise(d => setTimeout(d, 50));
	same(readFileSync(`${dir}/opened`, 'utf8').trim(), `${process.getuid() || 65534} ${address}`, 'and opens it, never as root');
	const page = await browser.page(address);
	quiet(page, address);
	await page.close();
	await perfetto(session);
}

/** Status, headers and length of an answer. */
function ask(path, headers = {}, method = 'GET') {
	return new Promise((done, fail) => {
		const r = request({ host: '127.0.0.1', port: 9001, path, method, headers: { Origin: 'https://ui.perfetto.dev', ...headers } }, answer => {
			let bytes = 0;
			answer.on('data', part => { bytes += part.length; });
			answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, bytes }));
			answer.on('error', fail);
		});
		r.on('error', fail);
		r.end();
	});
}

async function perfetto(session) {
	const child = spawn(onetsc, ['view', '--perfetto', '--no-open', session], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '', told = '';
	child.stderr.on('data', d => { told += d; });
	const end = new Promise(d => child.on('exit', d));
	const url = await Promise.race([end, new Promise(d => child.stdout.on('data', t => { said += t; if (said.includes('\n')) d(said.trim()); }))]);
	if (/cannot listen/.test(told)) {
		console.log(`ok # SKIP ${told.trim()}`);
		return;
	}
	const path = new URL(decodeURIComponent(url.split('url=')[1].split('&')[0])).pathname;
	ok(url.startsWith('https://ui.perfetto.dev/#!/?url=http://127.0.0.1:9001/') && url.includes('PinTracksByRegex'), 'view --perfetto says an address of the UI');
	run(onetsc, 'export', '--to', 'perfetto', '-o', 'view.pftrace', session);
	const whole = statSync(join(dir, 'view.pftrace')).size;
	same((await ask(path, { Origin: 'https://evil.example' })).status, 403, 'pages of others get nothing');
	same((await ask(path, { Host: 'evil.example:9001' })).status, 403, 'nor under another name');
	same((await ask('/x.pftrace')).status, 404, 'nor does who does not know the path');
	same((await ask(path, {}, 'POST')).status, 405, 'nothing can be posted');
	const allow = await ask(path, { 'Access-Control-Request-Private-Network': 'true' }, 'OPTIONS');
	ok(allow.status === 204 && allow.headers['access-control-allow-private-network'] === 'true', 'a preflight is allowed');
	same((await ask(path, {}, 'HEAD')).headers['content-length'], String(whole), 'HEAD tells the size');
	const big = await ask(path, { 'X-Long': 'x'.repeat(20000) }).catch(e => e.code);
	ok(typeof big === 'string', 'a head of 20 kB is cut off', JSON.stringify(big));
	const got = await ask(path);
	ok(got.status === 200 && got.bytes === whole && got.headers['access-control-allow-origin'] === 'https://ui.perfetto.dev', 'the UI gets the whole trace', JSON.stringify(got));
	same(await end, 0, 'and then it ends');
}

const parts = { million, ways, hostile, broken, view };
const outer = setTimeout(() => {
	console.log('Bail out! 280 s have passed');
	process.exit(1);
}, 280000);
try {
	for (const name of wanted.length ? wanted : Object.keys(parts)) {
		console.log(`# ${name}`);
		await parts[name]();
	}
} catch (e) {
	ok(false, 'everything ran', e.stack + (e.stderr ?? ''));
}
clearTimeout(outer);
await browser.close();
rmSync(dir, { recursive: true, force: true });
done();
