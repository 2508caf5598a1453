// SPDX-License-Identifier: GPL-2.0-or-later
/* In place of the page when what builds it is not there. */
#include "sink/html_parts.h"

const char html_head[1], html_tail[1];
const size_t html_head_bytes, html_tail_bytes;
