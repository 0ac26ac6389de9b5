/* rulebook/locate.h - inside rulebook/: where in the source a member of a table that was written out stands. */
#pragma once
#include "rulebook/reader.h"

/* The line, from 1, of the member that `at` names in the table that the file returns; of the innermost one that is found when the member
 * itself is missing or was not written out (a variable, an expression). 0 when the file does not return a table that is written out. */
int locate_line(struct slice source, const struct place *at);
