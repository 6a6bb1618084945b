# Hardening of optimised builds; sanitizers bring checks of their own. What each costs, in instructions of the test
# `instructions` and in time: docs/performance.md.
include(CheckPIESupported)
check_pie_supported()

option(PARTITA_HARDENING "Stack protector, _FORTIFY_SOURCE, full RELRO, checked standard containers" ON)
if(PARTITA_HARDENING AND NOT PARTITA_SANITIZE)
  set(optimised $<CONFIG:Release,RelWithDebInfo>)
  target_compile_options(partita_flags INTERFACE -fstack-protector-strong $<${optimised}:-U_FORTIFY_SOURCE>
    $<${optimised}:-D_FORTIFY_SOURCE=2>)
  target_compile_definitions(partita_flags INTERFACE _GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
