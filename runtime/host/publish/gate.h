/* host/publish/gate.h - the one door to going live. Where the live rules ask for approvals, it opens to: a draft that was approved; a
 * change that needs no step; a generation that was live with its approvals (a rollback); and the one before, when the new one makes quotes
 * and orders fail (a rescue). It is asked in the transaction that writes the generation down, so nothing comes between. */
#pragma once
#include "host/admin/changes.h"
#include "host/publish/publish.h"

/* On the writer. Fills entry->warrant, which lives in `room`. ERR_DENIED with a reason. */
int gate_admit(struct shop *s, struct store_conn *conn, const struct publish_job *job, const struct generation *live,
               const struct generation *next, char room[40], struct err *err);

/* On the writer, with each generation that goes live: whether it asks for approvals, for a start that can't build it. */
int gate_remember(struct store_conn *conn, const struct generation *g, struct err *err);
/* 1: what was live last asks for approvals, so that a start serves it, whatever the folder has; 0: not. */
int gate_was_closed(struct store_conn *conn, struct err *err);

/* What the folder has is to be a draft: job->draft has its name, job->drafted says so. found: the findings of the checks. */
int gate_save(struct publisher *p, struct shop *s, struct publish_job *job, const struct generation *live, const struct generation *next,
              unsigned steps, struct slice changes, struct err *err);

/* The sources of an approved draft. */
int gate_sources(struct store_conn *reader, const char *draft, struct sources **out, struct err *err);
/* It could not go live, and not because the machine was short of something. */
void gate_fall_back(struct publisher *p, struct shop *s, const char *draft, const struct err *why);
