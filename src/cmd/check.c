// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc check: is the merged order possible? */
#include "base/log.h"
#include "base/options.h"
#include "cmd/check.h"
#include "cmd/command.h"
#include "cmd/input.h"

struct config {
	bool json, epochs, ignore_epochs, solve;
	uint64_t worst;
	struct input_given given;
};

static const struct opt opts[] = {
	{0, "json", OPT_FLAG, offsetof(struct config, json), NULL, "one JSON object"},
	{'e', "epochs", OPT_FLAG, offsetof(struct config, epochs), NULL,
	 "a line per offset epoch of each vCPU"},
	{'s', "solve", OPT_FLAG, offsetof(struct config, solve), NULL,
	 "recover the offsets from the windows, then check with these"},
	{0, "ignore-epochs", OPT_FLAG, offsetof(struct config, ignore_epochs), NULL,
	 "use only the first offset of each vCPU (shows what goes wrong then)"},
	{'n', "worst", OPT_U64, offsetof(struct config, worst), "N",
	 "list at most N violations (10; up to 20)"},
	INPUT_OPT_TEXT(offsetof(struct config, given)),
	INPUT_OPT_OFFSET(offsetof(struct config, given)),
	INPUT_OPT_JOBS(offsetof(struct config, given)),
	{0},
};

static const struct opt_spec spec = {
	.command = "check",
	.args = "[SESSION | FILE…]",
	.summary = "Prove the order of a merged timeline, or show where it is wrong.",
	.details =
		"A guest's event can only have happened while its vCPU was in the guest: between\n"
		"kvm_entry and kvm_exit of its thread. check counts the events outside, those that\n"
		"cannot be judged and why, and by how much each vCPU's clock could still be shifted\n"
		"without a violation: the bound of the alignment.\n"
		"Exit status: 0 all judged events lie inside, 1 violations or nothing to judge.\n",
	.example = "onetsc check web1.onetsc              judge a session\n"
		   "onetsc check host.dat guest.dat       judge a trace-cmd recording\n"
		   "onetsc check --solve host.dat g.dat   the offset was not recorded\n",
	.opts = opts,
};

enum check_verdict check_verdict(const struct check_found *f)
{
	if (f->proof->violations || f->laws->broken)
		return CHECK_VIOLATED;
	return f->proof->inside ? CHECK_PROVED : CHECK_NOT_JUDGED;
}

uint64_t check_unjudged(const uint64_t *unjudged)
{
	uint64_t n = 0;

	for (int i = 0; i < PROOF_REASONS; i++)
		n += unjudged[i];
	return n;
}

static void ignore_epochs(struct input *in)
{
	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus)
			if (v->epochs.n > 1)
				v->epochs.n = 1;
}

static int solve(struct input *in, struct solve *ret)
{
	int r = solve_offsets(in, ret);

	return r ? r : solve_apply(ret, in);
}

static int pass(const struct input *in, struct proof *p, struct laws *l, struct handlers *h,
		struct widths *w, struct timeline_totals *totals)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	int r = timeline_new(in, NULL, &t);

	if (!r)
		r = timeline_run(t,
				 (struct timeline_use[]){{&proof_consumer, p, true},
							 {&laws_consumer, l, true},
							 {&handlers_consumer, h, true},
							 {&widths_consumer, w, true}},
				 4);
	for (size_t i = 0; i < in->machines.n && !r; i++)
		totals[i] = *timeline_totals(t, (unsigned)i);
	return r;
}

static int check(struct input *in, const struct config *c)
{
	_cleanup_proof_ struct proof *p = NULL;
	_cleanup_laws_ struct laws *l = NULL;
	_cleanup_handlers_ struct handlers *h = NULL;
	_cleanup_widths_ struct widths *w = NULL;
	_cleanup_solve_ struct solve s = {0};
	_cleanup_free_ struct timeline_totals *totals = calloc(in->machines.n + 1, sizeof(*totals));
	struct check_found f = {.in = in, .solved = &s, .epochs = c->epochs, .worst = c->worst};
	int r = totals ? 0 : -ENOMEM;

	f.totals = totals;
	if (c->ignore_epochs)
		ignore_epochs(in);
	if (c->solve && !r)
		r = solve(in, &s);
	if (!r)
		r = proof_new(&p);
	if (!r)
		r = laws_new(&l);
	if (!r)
		r = handlers_new(&h);
	if (!r)
		r = widths_new(&w);
	if (!r)
		r = pass(in, p, l, h, w, totals);
	if (r == -ENOMEM)
		return log_err_r(r, "cannot check \"%s\": %m", in->title);
	if (r)
		return r;
	f.proof = proof_result(p);
	f.laws = laws_result(l);
	f.handlers = handlers_result(h);
	f.widths = widths_result(w);
	if (!c->json)
		check_print_text(&f);
	else
		r = check_print_json(&f);
	return r ? r : check_verdict(&f) == CHECK_PROVED ? 0 : -EBADMSG;
}

static int run(int argc, char **argv)
{
	struct config c = {.worst = 10};
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	int r = input_paths_parse(&spec, &c, argc, argv, &paths);

	if (r == OPT_HELP)
		return EXIT_OK;
	if (r)
		return EXIT_USAGE;
	r = input_paths_open(&paths, &c.given, &in);
	input_paths_free(&paths);
	if (r)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	return check(in, &c) ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_check = {"check", "prove the order of a timeline", run};
