/*
 * address.h - the Python type AddressRules: an address policy that transports share.
 */
#ifndef RQX_PY_ADDRESS_H
#define RQX_PY_ADDRESS_H

#include "core.h"

/* Needs no guard. */
typedef struct CoreAddressRules {
    PyObject_HEAD rqx_address_policy *native; /* NULL until __init__; never changes afterwards */
} CoreAddressRules;

#endif
