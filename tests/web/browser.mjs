// SPDX-License-Identifier: GPL-2.0-or-later
// A headless Chromium, told what to do over a pipe (Chrome DevTools Protocol), and TAP.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const places = ['/usr/lib/chromium/chromium', '/usr/bin/chromium', '/usr/bin/google-chrome'];

export class Browser {
	static program() {
		return places.find(p => existsSync(p));
	}

	constructor(width = 1440, height = 900) {
		this.dir = mkdtempSync(join(tmpdir(), 'onetsc-web-'));
		this.child = spawn(Browser.program(), ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
			'--disable-default-apps', '--hide-scrollbars', '--force-color-profile=srgb', '--remote-debugging-pipe',
			`--user-data-dir=${this.dir}`, `--window-size=${width},${height}`, 'about:blank'],
		{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
		this.waiting = new Map();
		this.id = 0;
		this.handlers = [];
		let left = Buffer.alloc(0);
		this.child.stdio[4].on('data', part => {
			left = Buffer.concat([left, part]);
			for (let end; (end = left.indexOf(0)) >= 0; left = left.subarray(end + 1))
				this.take(JSON.parse(left.subarray(0, end).toString()));
		});
		this.gone = new Promise(done => this.child.on('exit', done));
	}

	take(m) {
		const w = this.waiting.get(m.id);
		if (!w) {
			for (const h of this.handlers)
				h(m);
			return;
		}
		this.waiting.delete(m.id);
		if (m.error)
			w.fail(new Error(`${w.method}: ${m.error.message}`));
		else
			w.done(m.result);
	}

	send(method, params = {}, sessionId = undefined) {
		const id = ++this.id;
		this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
		return new Promise((done, fail) => this.waiting.set(id, { done, fail, method }));
	}

	async close() {
		await Promise.race([this.send('Browser.close').catch(() => 0), this.gone]);
		const slow = setTimeout(() => this.child.kill('SIGKILL'), 5000);
		await this.gone;
		clearTimeout(slow);
		rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
	}

	async page(url, options = {}) {
		const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
		const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
		const page = new Page(this, sessionId, targetId);
		await page.start(url, options);
		return page;
	}
}

class Page {
	constructor(browser, session, target) {
		Object.assign(this, { browser, session, target, errors: [], requests: [] });
		browser.handlers.push(m => m.sessionId === session && this.note(m));
	}

	send(method, params) {
		return this.browser.send(method, params, this.session);
	}

	note({ method, params }) {
		if (method === 'Runtime.exceptionThrown')
			this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
		if (method === 'Runtime.consoleAPICalled')
			this.errors.push(`console.${params.type}: ${params.args.map(a => a.value ?? a.description).join(' ')}`);
		if (method === 'Log.entryAdded')
			this.errors.push(`${params.entry.level}: ${params.entry.text}`);
		if (method === 'Network.requestWillBeSent')
			this.requests.push(params.request.url);
		if (method === 'Page.javascriptDialogOpening') {
			this.errors.push(`dialog: ${params.message}`);
			void this.send('Page.handleJavaScriptDialog', { accept: true });
		}
	}

	async start(url, { scheme = 'light', width, height, ready = true } = {}) {
		for (const domain of ['Page', 'Runtime', 'Log', 'Network'])
			await this.send(`${domain}.enable`);
		await this.send('Emulation.setEmulatedMedia', {
			features: [{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }],
		});
		if (width)
			await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
		await this.send('Page.navigate', { url });
		if (ready)
			await this.until("document.documentElement.dataset.ready === 'yes'", 60000);
	}

	async eval(expression) {
		const r = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
		if (r.exceptionDetails)
			throw new Error(`${expression}: ${r.exceptionDetails.exception?.description ?? r.exceptionDetails.text}`);
		return r.result.value;
	}

	async until(condition, ms = 5000) {
		const end = Date.now() + ms;
		while (!await this.eval(condition).catch(() => false)) {
			if (Date.now() > end)
				throw new Error(`${ms / 1000} s without: ${condition}`);
			await new Promise(done => setTimeout(done, 30));
		}
	}

	/** Lets what was asked for be drawn, and what is done a little later be done. */
	settle() {
		return this.eval('new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 350))');
	}

	async mouse(type, x, y, more = {}) {
		await this.send('Input.dispatchMouseEvent', { type, x, y, ...more });
	}

	async click(x, y) {
		await this.mouse('mouseMoved', x, y);
		await this.mouse('mousePressed', x, y, { button: 'left', buttons: 1, clickCount: 1 });
		await this.mouse('mouseReleased', x, y, { button: 'left', clickCount: 1 });
	}

	async drag(x0, x1, y, modifiers = 0) {
		await this.mouse('mouseMoved', x0, y, { modifiers });
		await this.mouse('mousePressed', x0, y, { button: 'left', buttons: 1, clickCount: 1, modifiers });
		for (let i = 1; i <= 4; i++)
			await this.mouse('mouseMoved', x0 + (x1 - x0) * i / 4, y, { button: 'left', buttons: 1, modifiers });
		await this.mouse('mouseReleased', x1, y, { button: 'left', clickCount: 1, modifiers });
	}

	async key(key, modifiers = 0) {
		const text = key.length === 1 ? key : key === 'Enter' ? '\r' : undefined;
		await this.send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', key, text, modifiers, windowsVirtualKeyCode: key === 'Enter' ? 13 : key === 'Escape' ? 27 : 0 });
		await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, modifiers });
	}

	type(text) {
		return this.send('Input.insertText', { text });
	}

	async picture() {
		return Buffer.from((await this.send('Page.captureScreenshot', { format: 'png' })).data, 'base64');
	}

	close() {
		return this.browser.send('Target.closeTarget', { targetId: this.target });
	}
}

let count = 0, failed = 0;

export function ok(good, what, why = '') {
	count++;
	failed += good ? 0 : 1;
	console.log(`${good ? 'ok' : 'not ok'} ${count} - ${what}`);
	if (!good && why !== '')
		console.log(`# ${String(why).replace(/\n/g, '\n# ')}`);
}

export const same = (a, b, what) => ok(a === b, what, `${JSON.stringify(a)} is not ${JSON.stringify(b)}`);

export function done() {
	console.log(`1..${count}`);
	process.exitCode = failed ? 1 : 0;
}
