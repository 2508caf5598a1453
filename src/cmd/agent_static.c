// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc-agent: `onetsc agent` alone, for guests that have no libraries. */
#include "cmd/command.h"

int main(int argc, char **argv)
{
	return cmd_agent.run(argc, argv);
}
