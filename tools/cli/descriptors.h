// Opens stdin, stdout and stderr if the program was started without them.
#pragma once

namespace tools {

/// Opens /dev/null for those of descriptors 0, 1 and 2 that are closed, in a mode in which reads and writes
/// fail. So no file that the program opens later gets such a number and receives the output to stdout.
/// Messages to a closed stderr are lost.
void fill_standard_descriptors();

}  // namespace tools
