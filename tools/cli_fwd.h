// CLI11's names, without its header, which makes a dozen objects in each file that reads it: the files that
// declare options include that.
#pragma once

namespace CLI {
class App;
class Option;
}  // namespace CLI
