// A place in a template's source, as error messages name it.
#pragma once

#include <string>

namespace partita::internal::jinja {

struct Place {
  int line = 1, column = 1;  // from 1; columns count bytes
};

/// "chat template, line 3, column 7: ", the beginning of a message.
inline std::string message_begin(Place place) {
  return "chat template, line " + std::to_string(place.line) + ", column " + std::to_string(place.column) +
         ": ";
}

}  // namespace partita::internal::jinja
