// What catch.h is compiled with once for all tests (CMakeLists.txt).
#include "tests/catch.h"
