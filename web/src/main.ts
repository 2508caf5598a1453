// SPDX-License-Identifier: GPL-2.0-or-later
import { BLOCKED, GUEST, HALTED, KVM, PREEMPTED, Recording, UNKNOWN, VMM, WAITING, load } from './data';
import { css, dark, light, patterns } from './colours';
import { Details } from './details';
import { get, later, make, visible } from './dom';
import * as hash from './hash';
import { Input } from './keys';
import { Lanes } from './lanes';
import { Overview } from './overview';
import { Search } from './search';
import { State } from './state';
import { Tables } from './tables';
import { grouped } from './units';

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
let printing = false;

function tellFailure(e: unknown): void {
	const box = get('loading');
	box.hidden = false;
	box.replaceChildren(make('div', `This page cannot show its recording: ${e instanceof Error ? e.message : String(e)}`));
}

function start(rec: Recording, began: number): void {
	const state = new State(rec);
	const lanes = new Lanes(state, get<HTMLCanvasElement>('lanes'));
	const overview = new Overview(state), details = new Details(state), tables = new Tables(state), search = new Search(state);
	let theme = 'auto', measuring = false;

	const applyTheme = () => {
		const isDark = !printing && (theme === 'dark' || (theme === 'auto' && darkSystem.matches));
		document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light';
		state.theme = isDark ? dark : light;
		state.changed('theme');
	};
	const actions = {
		theme: () => {
			theme = state.theme.dark ? 'light' : 'dark';
			applyTheme();
			save();
		},
		measure: () => {
			measuring = !measuring;
			get('measure').setAttribute('aria-pressed', String(measuring));
		},
		isMeasuring: () => measuring,
	};
	const save = later(() => hash.write(state, { theme, query: search.text }), 200);
	const tell = later(() => tables.update(), 120);
	const inView = get<HTMLInputElement>('visible');

	state.on(what => {
		lanes.layout();
		lanes.ask();
		if (what !== 'pick')
			overview.ask();
		if (what === 'window' || what === 'theme' || (what === 'view' && inView.checked))
			tell();
		if (what === 'pick') {
			const track = state.pick && state.track(state.pick);
			if (track)
				lanes.reveal(track);
			if (state.pick?.type !== 'exit')
				tables.clearChoice();
		}
		if (what === 'pick' || what === 'theme')
			void details.show();
		save();
	});

	const restore = () => {
		const look = hash.read(state);
		theme = look.theme;
		applyTheme();
		search.set(look.query);
	};
	new Input(state, lanes, details, search, actions);
	window.addEventListener('hashchange', restore);
	darkSystem.addEventListener('change', applyTheme);
	new ResizeObserver(() => { lanes.ask(); overview.ask(); }).observe(get('stage'));
	new ResizeObserver(later(() => tables.showBars(), 100)).observe(get('bars'));
	for (const [event, on] of [['beforeprint', true], ['afterprint', false]] as const)
		window.addEventListener(event, () => {
			printing = on;
			applyTheme();
			lanes.draw();
			overview.draw();
		});
	const click = (id: string, fn: () => void) => get(id).addEventListener('click', fn);
	click('in', () => state.zoom(0.5));
	click('out', () => state.zoom(2));
	click('fit', () => state.glide(...state.whole()));
	click('measure', actions.measure);
	click('theme', actions.theme);
	click('helpbutton', () => get<HTMLDialogElement>('help').showModal());
	splitter(() => lanes.ask());
	describe(state);
	restore();
	get('loading').hidden = true;
	lanes.draw();
	overview.draw();
	tables.update();
	/* What a test asks. */
	Object.assign(window, {
		onetsc: {
			ready: true, loaded_ms: performance.now() - began, painted_ms: performance.now(),
			frames: lanes.frames, draw: () => lanes.draw(), state,
		},
	});
	document.documentElement.dataset['ready'] = 'yes';
}

function describe(state: State): void {
	const { meta } = state.rec;
	const title = visible(meta.title.replace(/\/+$/, '').replace(/^.*\//, ''));
	document.title = `${title} \u00b7 onetsc`;
	get('title').textContent = title;
	get('title').title = visible(meta.title);
	const when = meta.realtime_ns ? `${new Date(Number(BigInt(meta.realtime_ns) / 1000000n)).toISOString().slice(0, 19).replace('T', ' ')} UTC \u00b7 ` : '';
	get('when').textContent = `${when}${state.units.span(state.rec.span)} \u00b7 ${grouped(state.rec.n)} events`;
	get('when').title = `written by ${visible(meta.tool)}; first event at host tick ${meta.base}`;
	const notes = get('notes');
	const note = (text: string) => notes.append(make('p', visible(text)));
	for (const m of meta.machines) {
		if (Number(m.gaps))
			note(`\u201c${m.name}\u201d: ${m.gaps_uncounted ? 'an unknown number of' : grouped(m.lost)} events are lost in ${grouped(m.gaps)} gaps, marked red.`);
		if (!m.aligned && Number(m.events) && m !== meta.machines[0])
			note(`\u201c${m.name}\u201d stands where its own clock puts it: ${m.why_unaligned || 'its clock cannot be told in the host\u2019s'}`);
	}
	if (!state.units.hasTime)
		note('The frequency of the host\u2019s TSC is not known: times are in ticks.');
	if (meta.vcpus.length && meta.has_exits && !meta.has_sched)
		note('The host\u2019s sched_switch was not recorded: preemption cannot be told from time in KVM.');
	legend(state);
}

function legend(state: State): void {
	if (!state.tracks.all.some(t => t.type === 'vcpu'))
		return;
	const p = make('p', undefined, 'legend');
	for (const s of [GUEST, KVM, VMM, PREEMPTED, WAITING, HALTED, BLOCKED, UNKNOWN]) {
		const item = make('span'), chip = make('i', undefined, `chip ${patterns[s]}`);
		chip.style.backgroundColor = css(light.states[s]!);
		item.append(chip, state.rec.meta.states[s] ?? '');
		p.append(item);
	}
	get('notes').append(p);
}

function splitter(moved: () => void): void {
	const bar = get('split'), bottom = get('bottom');
	let from: { y: number; h: number } | undefined;
	bar.addEventListener('pointerdown', e => {
		bar.setPointerCapture(e.pointerId);
		from = { y: e.clientY, h: bottom.offsetHeight };
	});
	bar.addEventListener('pointermove', e => {
		if (!from)
			return;
		bottom.style.height = `${Math.max(0, Math.min(innerHeight - 160, from.h + from.y - e.clientY))}px`;
		moved();
	});
	for (const end of ['pointerup', 'pointercancel'])
		bar.addEventListener(end, () => { from = undefined; });
}

document.documentElement.dataset['theme'] = /theme=dark/.test(location.hash) || (darkSystem.matches && !/theme=light/.test(location.hash)) ? 'dark' : 'light';
const began = performance.now();
const progress = get<HTMLProgressElement>('progress');
load(part => { progress.value = part; }).then(rec => start(rec, began)).catch(tellFailure);
