/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording tells its user, while it runs and at its end. */
#pragma once

struct record;

void record_progress(struct record *r);
void record_print_summary(struct record *r);
/* Warns when a guest's own RDTSC contradicts the offset that KVM reports for it. */
void record_check_clocks(const struct record *r);
