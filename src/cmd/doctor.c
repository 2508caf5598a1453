// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc doctor: what can be done with the clocks of this host and its VMs, and why not. */
#include "cmd/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cmd/command.h"
#include "vm/gate.h"
#include "vm/watchlock.h"

#define SKEW_NS	     1000000000
#define SKEW_CPU_NS  5000000 /* and this for each CPU */
#define FEW_CPUS     16	     /* all pairs of them are measured in any case */
#define GATE_WAIT_NS 2000000000

struct config {
	bool json;
	struct opt_strv vms;
};

static const struct opt opts[] = {
	{0, "vm", OPT_STRV, offsetof(struct config, vms), "NAME|PID",
	 "only this VM; may be repeated"},
	{'j', "json", OPT_FLAG, offsetof(struct config, json), NULL, "one JSON object"},
	{0},
};

static const struct opt_spec spec = {
	.command = "doctor",
	.args = "",
	.summary = "Tells whether this host and its VMs can be zeroed, translated and recorded.",
	.details =
		"Looks at clocksource, TSC flags, kernel, KVM, debugfs, tracefs and rights, measures "
		"how far\nthe CPUs' TSCs are apart, and tries the gate of \"onetsc zero\" on a VM of "
		"its own. No running\nVM is touched. Each \"no\" says why and what to do. As a plain "
		"user: what that user may do.\nExit status 0 when every answer is yes (\"zero now\" "
		"does not count), 1 otherwise.",
	.example = "  onetsc doctor              the host and all VMs\n"
		   "  onetsc doctor --vm web1    the host and one VM\n"
		   "  onetsc doctor --json | jq '.verdicts.zero'",
	.opts = opts,
};

static void doctor_free(struct doctor *d)
{
	array_for_each(v, &d->shown)
		vmfacts_free(&v->facts);
	array_free(&d->shown);
	vms_free(&d->vms);
	skewprobe_free(&d->skew);
}

/* --- the gate ------------------------------------------------------------ */

static void take(void *ctx, const char *text)
{
	struct gate_trial *t = ctx;

	snprintf(t->why, sizeof(t->why), "%s", text);
}

static void ignore_event(void *ctx, const struct gate_event *e)
{
}

static void ignore_write(void *ctx, const struct gate_write *w)
{
}

/* As `onetsc zero` would begin, where it would. */
static void try_gate(struct doctor *d)
{
	const struct gate_config config = {
		.deadline_ns = GATE_WAIT_NS,
		.try_only = true,
		.on_event = ignore_event,
		.on_write = ignore_write,
	};
	struct gate_trial *t = &d->gate;
	struct gate *gate = NULL;
	const char *why;

	t->watching = watchlock_is_taken();
	if (t->watching || judge_host(&d->host.judge) != OFFSET_OK ||
	    judge_gate(&d->host.gate, &why))
		return;
	t->tried = true;
	log_divert_errors(take, t);
	t->error = gate_open(&config, &gate);
	log_divert_errors(NULL, NULL);
	if (!t->error)
		gate_close(gate);
	else if (!*t->why)
		snprintf(t->why, sizeof(t->why), "the gate cannot be put up: %s",
			 strerror(-t->error));
}

/* --- host ----------------------------------------------------------------- */

static int measure_skew(struct doctor *d, bool json)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct skewprobe_spec skew = {
		.all_pairs = json || cpus <= FEW_CPUS,
		.budget_ns = SKEW_NS + SKEW_CPU_NS * (uint64_t)(cpus > 0 ? cpus : 1),
	};
	int r = skewprobe_run(&skew, &d->skew);

	if (r)
		return log_err_r(r, "cannot compare the TSCs of the CPUs: %m");
	if (d->skew.n > 1)
		skew_matrix_sum(&d->skew.matrix, &d->skew_sum);
	return 0;
}

static int examine_host(struct doctor *d, bool json)
{
	struct verdict *v = d->verdicts;
	int r;

	log_progress("looking at this host");
	hostfacts_read(NULL, &d->host);
	readiness_read(&d->ready);
	r = measure_skew(d, json);
	if (r)
		return r;
	try_gate(d);
	verdict_zero_new(&d->host, &d->gate, &v[DOCTOR_ZERO]);
	verdict_launch(&d->host, &v[DOCTOR_LAUNCH]);
	verdict_translate_host(&d->host, &d->skew, &v[DOCTOR_TRANSLATE]);
	verdict_record_host(&d->host, &d->ready, &v[DOCTOR_RECORD]);
	return 0;
}

/* --- VMs ------------------------------------------------------------------ */

static int examine_vm(struct doctor *d, const struct vm *vm, const struct looks *looks)
{
	struct doctor_vm *v = array_add(&d->shown);
	const struct verdict *host = d->verdicts;
	int r = v ? vmfacts_read(NULL, vm, looks, &v->facts) : -ENOMEM;

	if (r)
		return log_err_r(r, "cannot look at process %d: %m", vm->pid);
	verdict_zero_now(&d->host, &v->facts, &v->verdicts[DOCTOR_VM_NOW]);
	verdict_zero_reset(&d->host, &host[DOCTOR_ZERO], &v->facts, &v->verdicts[DOCTOR_VM_RESET]);
	verdict_translate_vm(&d->host, &host[DOCTOR_TRANSLATE], &v->facts,
			     &v->verdicts[DOCTOR_VM_TRANSLATE]);
	verdict_record_vm(&d->host, &host[DOCTOR_RECORD], &v->facts,
			  &v->verdicts[DOCTOR_VM_RECORD]);
	return 0;
}

static int examine_named(struct doctor *d, const struct opt_strv *names, const struct looks *looks)
{
	const struct vm *vm;
	int r = 0;

	for (size_t i = 0; i < names->n && !r; i++) {
		r = vm_select(&d->vms, names->v[i], &vm);
		if (r == -ENOENT)
			log_err("no VM \"%s\" is running here%s", names->v[i],
				d->hidden ? ", or it is not yours to see" : "");
		if (!r)
			r = examine_vm(d, vm, looks);
	}
	return r;
}

static int examine_vms(struct doctor *d, const struct opt_strv *names)
{
	struct looks looks = {0};
	const struct looks *known;
	int r = vm_find_all(NULL, &d->vms, &d->hidden);

	if (r)
		return log_err_r(r, "cannot look for VMs in /proc: %m");
	/* A VM of our own is not worth it when there is no other. */
	d->look_error = d->vms.n ? look_read(&looks) : 0;
	known = d->vms.n && !d->look_error ? &looks : NULL;
	if (names->n)
		r = examine_named(d, names, known);
	else
		array_for_each(vm, &d->vms)
			if (!r)
				r = examine_vm(d, vm, known);
	array_free(&looks);
	return r;
}

bool doctor_is_well(const struct doctor *d)
{
	bool well = true;

	for (int i = 0; i < DOCTOR_HOST; i++)
		well &= d->verdicts[i].answer == ANSWER_YES;
	array_for_each(v, &d->shown)
		for (int i = 0; i < DOCTOR_VM; i++)
			well &= i == DOCTOR_VM_NOW || v->verdicts[i].answer == ANSWER_YES;
	return well;
}

enum writer doctor_writer(const struct doctor *d, const struct doctor_vm *v, size_t i)
{
	const struct judge_host *h = &d->host.judge;

	if (!v->facts.has_kvm)
		return WRITER_UNKNOWN;
	if (!h->kvm_error && h->kvm.support == KVM_OFFSET_IGNORED)
		return WRITER_FIXED;
	return writer_of(&v->facts.look.v[i]);
}

static int run(int argc, char **argv)
{
	_cleanup_(doctor_free) struct doctor d = {0};
	_cleanup_strbuf_ struct strbuf b = {0};
	struct config cfg = {0};
	int at = opt_parse(&spec, &cfg, argc, argv), r;

	if (at < 0)
		return at == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	if (at < argc) {
		log_err("doctor: \"%s\" is not expected here; see onetsc doctor --help", argv[at]);
		return EXIT_USAGE;
	}
	r = examine_host(&d, cfg.json);
	r = r ?: examine_vms(&d, &cfg.vms);
	log_progress_end();
	if (r)
		return EXIT_FAILED;
	if (!cfg.json)
		doctor_add_text(&b, &d);
	else if (!doctor_add_json(&b, &d))
		b.failed = true;
	if (b.failed || fwrite(b.s, 1, b.n, stdout) != b.n || fflush(stdout)) {
		log_err("cannot write the findings: %m");
		return EXIT_FAILED;
	}
	return doctor_is_well(&d) ? EXIT_OK : EXIT_FAILED;
}

const struct command cmd_doctor = {
	"doctor",
	"what can be done with this host's and its VMs' TSCs, and why not",
	run,
};
