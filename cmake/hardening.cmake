# Hardening of optimised builds: stack protector, _FORTIFY_SOURCE, full RELRO, position-independent programs.
# Sanitizers bring checks of their own. docs/performance.md says what it costs.
include(CheckPIESupported)
check_pie_supported()

option(PARTITA_HARDENING "Harden optimised builds: stack protector, _FORTIFY_SOURCE, full RELRO" ON)
add_library(partita_hardening INTERFACE)
if(PARTITA_HARDENING AND NOT PARTITA_SANITIZE)
  set(optimised $<CONFIG:Release,RelWithDebInfo>)
  target_compile_options(partita_hardening INTERFACE
    $<${optimised}:-fstack-protector-strong;-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
  target_link_options(partita_hardening INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
