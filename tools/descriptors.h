// stdin, stdout and stderr, also where the program was started without them.
#pragma once

namespace tools {

/// Gives those of descriptors 0, 1 and 2 that are closed to something that reading and writing fail on, so
/// that no file the program opens takes their place and gets what is written to stdout. Messages to a closed
/// stderr are lost.
void fill_standard_descriptors();

}  // namespace tools
