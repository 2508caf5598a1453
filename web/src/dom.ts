// SPDX-License-Identifier: GPL-2.0-or-later
// Elements. Text of the recording only ever becomes text nodes.

export function get<T extends HTMLElement = HTMLElement>(id: string): T {
	const e = document.getElementById(id);
	if (!e)
		throw new Error(`the page has no #${id}`);
	return e as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, text?: string, className?: string): HTMLElementTagNameMap[K] {
	const e = document.createElement(tag);
	if (text !== undefined)
		e.textContent = text;
	if (className)
		e.className = className;
	return e;
}

export function svg(tag: string, attributes: Record<string, string | number>): SVGElement {
	const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(attributes))
		e.setAttribute(name, String(value));
	return e;
}

/** Calls fn once for any number of calls before the next frame. */
export function later(fn: () => void, ms = 0): () => void {
	let timer = 0;
	return () => {
		if (timer)
			return;
		timer = window.setTimeout(() => {
			timer = 0;
			fn();
		}, ms);
	};
}

/** Control characters and the marks that turn text around are shown as such. */
export function visible(s: string): string {
	return s.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
		c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
