# Hardening of optimised builds: stack protector, _FORTIFY_SOURCE, full RELRO, position-independent programs.
# Sanitizers bring checks of their own. docs/performance.md says what it costs.
include(CheckPIESupported)
check_pie_supported()

option(PARTITA_HARDENING "Harden optimised builds: stack protector, _FORTIFY_SOURCE, full RELRO" ON)
add_library(partita_hardening INTERFACE)
# Checks of indices in the standard library, in builds that look for faults and, in the release, where they cost less than
# 1 %: not in the engine and in sampling.
add_library(partita_assertions INTERFACE)
target_compile_definitions(partita_assertions INTERFACE $<$<CONFIG:Debug,Sanitize>:_GLIBCXX_ASSERTIONS>)
add_library(partita_release_assertions INTERFACE)
if(PARTITA_HARDENING)
  target_compile_definitions(partita_release_assertions INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:_GLIBCXX_ASSERTIONS>)
endif()
if(PARTITA_HARDENING AND NOT PARTITA_SANITIZE)
  set(optimised $<CONFIG:Release,RelWithDebInfo>)
  target_compile_options(partita_hardening INTERFACE
    $<${optimised}:-fstack-protector-strong;-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
  target_link_options(partita_hardening INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
