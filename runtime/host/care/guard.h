/* host/care/guard.h - what fails is counted here, and when it fails too often it is taken out of service: a campaign, a plugin. HEALTH.md
 * says when and what then holds. A failure is an error, used up fuel or memory; what a plugin refuses on purpose (feira.fail) is none. */
#pragma once
#include "host/publish/edition.h"
#include "host/care/tally.h"

struct edition_guard; /* an edition's counters */
int guard_open(struct edition *e, struct err *err);
void guard_close(struct edition *e);

/* One call of a function; rc and err as it ended. Any thread. ERR_RETRY is no call: it will be called again. */
void guard_campaign(struct seat *seat, uint32_t campaign, int rc, const struct err *err);
/* A function of a plugin, by its number, that was called for a quote or stands outside of quotes and of the writer: a pricing rule, a fact,
 * a handler, a job, a check. e NULL: rules that are no edition's are not counted. */
void guard_function(struct edition *e, int fn, int rc, const struct err *err);
/* One command of the writer is over. The writer's thread. */
void guard_writer(struct edition *e, const struct tally *t, int rc, const struct err *err);

/* Somebody resumed it: what failed before does not count against it any more. */
void guard_forget_campaign(struct edition *e, uint32_t campaign);
void guard_forget_plugin(struct edition *e, struct slice plugin);
