/*
 * fork.h - noticing that this process is a child of the one that made an object.
 */
#ifndef RQX_BASE_FORK_H
#define RQX_BASE_FORK_H

#include <stdint.h>

/*
 * A number that stays the same in one process and differs in a forked child.  Costs one memory read where the kernel
 * wipes a page at fork (MADV_WIPEONFORK, Linux 4.14), and a getpid elsewhere.  Installs no handler.
 */
uint64_t rqx__fork_epoch(void);

#endif
