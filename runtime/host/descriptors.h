/* host/descriptors.h - file descriptors are shared: connections get what the shop does not need for itself, so that the crowd at the door
 * never keeps it from opening a file. Who comes then is answered 503; one who still finds none left (somebody else has them) is told so and
 * let go. */
#pragma once
#include <stddef.h>

/* Raises this process's limit as far as it may; how many connections each of the workers may have. */
size_t descriptors_share(int workers);
