// SPDX-License-Identifier: GPL-2.0-or-later
// What is shown, in the part of the address behind '#': a link shows the same again.
// t=FROM,TO view; w=FROM,TO window; s=what is chosen; q=search; theme=light|dark; closed=groups
import { State, Pick } from './state';

export interface Look { theme: string; query: string }

function pickText(p: Pick): string {
	return p.type === 'event' ? `e${p.i}` : p.type === 'exit' ? `x${p.i}` : `${p.track.key}:${p.i}`;
}

function pickOf(state: State, text: string): Pick | undefined {
	const { rec } = state;
	const m = /^([ex])(\d+)$/.exec(text);
	if (m) {
		const i = Number(m[2]);
		if (m[1] === 'e')
			return i < rec.n ? { type: 'event', i } : undefined;
		return i < rec.exits.n ? { type: 'exit', i } : undefined;
	}
	const cut = text.lastIndexOf(':'), track = state.tracks.find(text.slice(0, cut)), i = Number(text.slice(cut + 1));
	return track?.slices && Number.isInteger(i) && i >= 0 && i < track.slices.n ? { type: 'slice', track, i } : undefined;
}

function pair(text: string | null): [number, number] | undefined {
	const v = text?.split(',').map(Number);
	return v?.length === 2 && v.every(Number.isFinite) && v[0]! <= v[1]! ? [v[0]!, v[1]!] : undefined;
}

export function write(state: State, look: Look): void {
	const p = new URLSearchParams();
	const whole = state.whole(), [t0, t1] = state.target;
	if (Math.abs(t0 - whole[0]) > 1 || Math.abs(t1 - whole[1]) > 1)
		p.set('t', `${Math.round(t0)},${Math.round(t1)}`);
	if (state.window)
		p.set('w', state.window.map(v => Math.round(v)).join(','));
	if (state.pick)
		p.set('s', pickText(state.pick));
	if (look.query)
		p.set('q', look.query);
	if (look.theme !== 'auto')
		p.set('theme', look.theme);
	const closed = state.tracks.groups.flatMap((g, i) => (g.open ? [] : [i]));
	if (closed.length)
		p.set('closed', closed.join('.'));
	const text = p.toString().replace(/%2C/g, ',').replace(/%3A/g, ':');
	if (location.hash.slice(1) !== text)
		history.replaceState(null, '', `#${text}`);
}

/** Whatever somebody may have written there. */
export function read(state: State): Look {
	const p = new URLSearchParams(location.hash.slice(1));
	const closed = new Set((p.get('closed') ?? '').split('.'));
	state.tracks.groups.forEach((g, i) => { g.open = !closed.has(String(i)); });
	state.setWindow(pair(p.get('w')));
	const view = pair(p.get('t'));
	if (view)
		state.show(...view);
	else
		state.show(...state.whole());
	state.choose(pickOf(state, p.get('s') ?? ''));
	const theme = p.get('theme') ?? 'auto';
	return { theme: theme === 'light' || theme === 'dark' ? theme : 'auto', query: p.get('q') ?? '' };
}
