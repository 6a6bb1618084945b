// PARTITA_API marks the symbols that the shared library exports.
#pragma once

#if defined(__GNUC__)
#define PARTITA_API __attribute__((visibility("default")))
#else
#define PARTITA_API
#endif
