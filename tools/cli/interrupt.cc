#include "tools/cli/interrupt.h"

#include <signal.h>

namespace tools {

partita::CancelFlag& interrupted() {
  static partita::CancelFlag flag;
  return flag;
}

void catch_signals(std::initializer_list<int> signals, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  for (const int signal : signals) sigaction(signal, &action, nullptr);  // no SA_RESTART
}

void catch_interrupts() {
  interrupted();  // constructed before the handler can run
  catch_signals({SIGINT}, [](int) { interrupted().set(); });
}

}  // namespace tools
