// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "capture/guest.h"
#include "cmd/command.h"
#include "cmd/token.h"
#include "cmd/undo.h"

#define GUEST_LIMIT_BYTES (64ull << 30)

#define PATTERN_BYTES                                          \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_*?"

struct patterns ARRAY(char *);

struct record_options {
	const char *dir, *preset, *token, *vmm;
	uint64_t duration_ns, buffer_bytes, guest_limit_bytes;
	struct opt_strv vms, events, guest_events, guests, uprobes, usdt, guest_uprobes, guest_usdt,
		qemu_trace, qmp;
	bool list_presets;
};

#define AT(m) offsetof(struct record_options, m)
static const struct opt opts[] = {
	{'o', "output", OPT_STR, AT(dir), "DIR",
	 "session directory; default ./onetsc-DATE-TIME.onetsc"},
	{'d', "duration", OPT_NS, AT(duration_ns), "TIME", "stop after 10, 1.5s, 200ms, 2min"},
	{0, "vm", OPT_STRV, AT(vms), "NAME|PID", "only this VM (repeatable); default: all"},
	{'p', "preset", OPT_STR, AT(preset), "NAME", "what to record; see --presets"},
	{0, "presets", OPT_FLAG, AT(list_presets), NULL, "list the presets"},
	{'e', "event", OPT_STRV, AT(events), "EVENT",
	 "one more host event: SYSTEM:NAME, globs, \" if FILTER\""},
	{0, "guest-event", OPT_STRV, AT(guest_events), "EVENT", "one more event in the guests"},
	{0, "uprobe", OPT_STRV, AT(uprobes), "BINARY:SYMBOL[%return][ ARGS]",
	 "calls of a function in any process; BINARY: path, program or pid"},
	{0, "usdt", OPT_STRV, AT(usdt), "[BINARY:]PROVIDER:NAME",
	 "a static probe (SystemTap's SDT) of a program; globs; default BINARY: the VMMs'"},
	{0, "guest-uprobe", OPT_STRV, AT(guest_uprobes), "BINARY:SYMBOL[%return][ ARGS]",
	 "the same in the guests (onetsc agent)"},
	{0, "guest-usdt", OPT_STRV, AT(guest_usdt), "BINARY:PROVIDER:NAME",
	 "static probes in the guests (onetsc agent)"},
	{0, "vmm", OPT_STR, AT(vmm), "WHAT",
	 "probes in the VMMs: calls (default), regions: device regions too, none"},
	{0, "qemu-trace", OPT_STRV, AT(qemu_trace), "PATTERN[,…]",
	 "QEMU's own trace events of running VMs, switched on over QMP and off again"},
	{0, "qmp", OPT_STRV, AT(qmp), "[VM=]PATH",
	 "the QMP socket; default: what the VM's command line names"},
	{'g', "guest", OPT_STRV, AT(guests), "NAME[=ADDR][,agent=KIND]",
	 "a guest's agent: vsock:CID[:PORT], tcp:IP:PORT, unix:PATH; onetsc, trace-cmd"},
	{0, "token", OPT_STR, AT(token), "TEXT|@FILE", "what the agents were given as --token"},
	{'b', "buffer", OPT_BYTES, AT(buffer_bytes), "SIZE",
	 "trace buffer of each CPU; default 8M"},
	{0, "guest-limit", OPT_BYTES, AT(guest_limit_bytes), "SIZE",
	 "most that one guest may fill of the disk; default 64G"},
	{0},
};

static const struct opt_spec spec = {
	.command = "record",
	.args = "[--] [CMD…]",
	.summary = "Records the host, and each VM's guest through its agent, into one session.",
	.details =
		"Ends with CMD, after -d, or with Ctrl-C. VMs that start meanwhile join; guests "
		"without an\nagent (onetsc agent) are recorded from the host side alone. Needs root.",
	.example = "  onetsc record -d 10                          all VMs, ten seconds\n"
		   "  onetsc record --vm web1 -p latency -d 5 -o slow.onetsc\n"
		   "  onetsc record -- qemu-system-x86_64 …        from the VM's first instruction",
	.opts = opts,
};

static int refuse_guest(const char *text, const char *why)
{
	log_err("record: --guest \"%s\" %s; see onetsc record --help", text, why);
	return -EINVAL;
}

/* ",agent=KIND" at the end. */
static int split_agent(const char *text, char *copy, struct record_guest *ret)
{
	char *comma = strstr(copy, ",agent=");
	const char *kind;

	if (!comma)
		return 0;
	kind = comma + strlen(",agent=");
	*comma = 0;
	if (strcmp(kind, "auto") && !guest_agent_find(kind))
		return refuse_guest(text, "names no agent: it is onetsc, trace-cmd or auto");
	ret->agent = strcmp(kind, "auto") ? kind : NULL;
	return 0;
}

/* "NAME[=ADDR][,agent=KIND]" is split in place of a copy that the caller frees: it is ret->name. */
static int split_guest(const char *text, struct record_guest *ret)
{
	char *copy = strdup(text), *eq;
	int r;

	if (!copy)
		return -ENOMEM;
	ret->name = copy;
	r = split_agent(text, copy, ret);
	if (r)
		return r;
	eq = strchr(copy, '=');
	if (eq)
		*eq = 0;
	ret->addr = eq ? eq + 1 : NULL;
	if (!*copy || (eq && !eq[1]) || (!eq && !strstr(text, ",agent=")))
		return refuse_guest(text, "is not NAME=ADDRESS, NAME,agent=KIND or both");
	return 0;
}

/* "PATTERN[,…]" of each --qemu-trace, one by one. QEMU's globs know * and ?. */
static int split_patterns(const struct opt_strv *lists, struct patterns *ret)
{
	for (size_t i = 0; i < lists->n; i++)
		for (const char *p = lists->v[i]; *p; p += *p == ',') {
			size_t n = strcspn(p, ",");
			char **to = n ? array_add(ret) : NULL;

			if (n && (!to || !(*to = strndup(p, n))))
				return -ENOMEM;
			if (n && strspn(*to, PATTERN_BYTES) != n) {
				log_err("record: --qemu-trace \"%s\" is no name of trace events of "
					"QEMU, with * and ?",
					*to);
				return -EINVAL;
			}
			p += n;
		}
	return 0;
}

static void patterns_free(struct patterns *p)
{
	array_for_each(s, p)
		free(*s);
	array_free(p);
}

static int run(struct record_config *cfg)
{
	int status = 0, r = undo_begin(&cfg->journal);
	unsigned left;

	if (r)
		return EXIT_FAILED;
	r = record_run(cfg, &status);
	left = undo_end(cfg->journal);
	if (left)
		return EXIT_UNRESTORED;
	/* A command that failed by itself is what the caller wants to know. */
	return status ? status : r ? EXIT_FAILED : EXIT_OK;
}

static int find_level(const char *name, enum vmmprobe_level *ret)
{
	static const char *const names[] = {[VMMPROBE_CALLS] = "calls",
					    [VMMPROBE_REGIONS] = "regions",
					    [VMMPROBE_NONE] = "none"};

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name)) {
			*ret = (enum vmmprobe_level)i;
			return 0;
		}
	if (name)
		log_err("record: --vmm \"%s\" is not calls, regions or none", name);
	return name ? -EINVAL : 0;
}

static int configure(const struct record_options *o, struct record_config *cfg,
		     struct record_guest *guests, struct patterns *patterns)
{
	int r = 0;

	cfg->preset = preset_find(o->preset);
	if (!cfg->preset) {
		log_err("record: \"%s\" is not a preset; see onetsc record --presets", o->preset);
		return -EINVAL;
	}
	r = find_level(o->vmm, &cfg->vmm);
	if (!r)
		r = split_patterns(&o->qemu_trace, patterns);
	for (size_t i = 0; !r && i < o->guests.n; i++)
		r = split_guest(o->guests.v[i], &guests[i]);
	return r ? r : token_read(o->token, (char **)&cfg->token);
}

static int record_main(int argc, char **argv)
{
	struct record_options o = {.guest_limit_bytes = GUEST_LIMIT_BYTES};
	struct record_guest guests[OPT_STRV_MAX] = {0};
	_cleanup_strbuf_ struct strbuf line = {0};
	struct record_config cfg = {0};
	struct patterns patterns = {0};
	int first = opt_parse(&spec, &o, argc, argv), r;

	if (first < 0)
		return first == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	if (o.list_presets) {
		preset_print_all(stdout);
		return EXIT_OK;
	}
	if (configure(&o, &cfg, guests, &patterns)) {
		patterns_free(&patterns);
		return EXIT_USAGE;
	}
	for (int i = 0; i < argc; i++)
		strbuf_printf(&line, "%s%s", i ? " " : "", argv[i]);
	cfg.dir = o.dir;
	cfg.command = line.s;
	cfg.duration_ns = o.duration_ns;
	cfg.vms = o.vms.v;
	cfg.n_vms = o.vms.n;
	cfg.host_events = o.events.v;
	cfg.n_host_events = o.events.n;
	cfg.guest_events = o.guest_events.v;
	cfg.n_guest_events = o.guest_events.n;
	cfg.uprobes = o.uprobes.v;
	cfg.n_uprobes = o.uprobes.n;
	cfg.usdt = o.usdt.v;
	cfg.n_usdt = o.usdt.n;
	cfg.guest_uprobes = o.guest_uprobes.v;
	cfg.n_guest_uprobes = o.guest_uprobes.n;
	cfg.guest_usdt = o.guest_usdt.v;
	cfg.n_guest_usdt = o.guest_usdt.n;
	cfg.qemu_trace = (const char *const *)patterns.v;
	cfg.n_qemu_trace = patterns.n;
	cfg.qmp = o.qmp.v;
	cfg.n_qmp = o.qmp.n;
	cfg.guests = guests;
	cfg.n_guests = o.guests.n;
	cfg.buffer_bytes = o.buffer_bytes;
	cfg.guest_limit_bytes = o.guest_limit_bytes;
	cfg.argv = first < argc ? argv + first : NULL;
	r = line.failed ? EXIT_FAILED : run(&cfg);
	for (size_t i = 0; i < o.guests.n; i++)
		free((void *)guests[i].name);
	patterns_free(&patterns);
	free((void *)cfg.token);
	return r;
}

const struct command cmd_record = {"record", "record host, VMs and guests into one session",
				   record_main};
