/* cli/sockets.h - listening sockets that come from outside: from systemd (sd_listen_fds(3): descriptors from 3 on, counted in LISTEN_FDS,
 * meant for LISTEN_PID), or from the process that this one takes over from, which hands them on in the same way. */
#pragma once
#include "host/host.h"

/* How many there are, in fds; the variables are then gone, so that no child believes in them. */
int sockets_inherited(int fds[HANDED_OVER_MAX]);

/* Becomes argv[0] (or, when that can't be started, the program that runs now) with these sockets. Returns only when neither can be. */
int sockets_exec(char **argv, const struct handover *h, struct err *err);
