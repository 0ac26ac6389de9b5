/* tests/simulate/net.h - the loops of the runtime without a kernel: loop/loop.h, whole, on sched.h, and the other end of its sockets.
 * Bytes arrive in pieces, and in an order among connections, that the seed says; a client may be slow to read, half-close or hang up. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

struct net;
struct net *net_new(void);
void net_free(struct net *n);
/* Of the net that the calling thread's loops are on, see sim.h. */
struct net *net_here(void);

/* The world sleeps until something comes for one of its ends, or somebody tells it, or until then. */
void net_wait(struct net *n, int64_t until_ns);
void net_tell(struct net *n);

/* All below from the thread that has the turn. A connection is a number, from 1; 0 = nobody listens there. */
int net_connect(struct net *n, bool operator_socket);
void net_send(struct net *n, int conn, const char *data, size_t len);
void net_finish(struct net *n, int conn);                  /* FIN */
void net_hang_up(struct net *n, int conn);                 /* RST; the number is gone */
void net_window(struct net *n, int conn, size_t bytes);    /* how much it takes before somebody reads it; default 256 KiB */
bool net_receive(struct net *n, int conn, struct buf *to); /* appends what came; false = the other side is gone, all was read */
size_t net_pending(struct net *n, int conn);               /* bytes that net_receive() would give */
void net_signal(struct net *n, int signum);                /* to whoever has asked for it */
void net_cut(struct net *n);                               /* the machine is gone: all connections are */
