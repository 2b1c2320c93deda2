/* The milter side: callbacks of one connection of Postfix. */
#pragma once

#include "dkim/daemon.h"
#include "kit/kit.h"

/* Fill in all of kit but name, socket and drain_ms. */
void session_describe(struct kit_daemon *kit, struct daemon *shared);
