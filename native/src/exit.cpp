// The end of the process.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "internal.h"

namespace darkroom {

std::atomic<int64_t> InFlight::calls_{0};

void InFlight::await_none() noexcept {
  using namespace std::chrono_literals;
  for (auto waited = 0ms; waited < 30s && calls_.load() > 0; waited += 1ms) {
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace darkroom

void dr_hold_exit(void) { std::atexit(darkroom::InFlight::await_none); }
