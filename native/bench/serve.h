// The benchmark's other languages are processes that serve measurements: a line "add 5000" asks for
// 5,000 calls, and is answered by their nanoseconds in all, of wall clock and of this thread's CPU.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <string>

inline int64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

template <typename Call>
std::function<void(int64_t)> repeated(Call call) {
  return [call](int64_t calls) {
    for (int64_t i = 0; i < calls; ++i) call();
  };
}

// Says what this is, then answers until its input ends.
inline int serve(const std::string& what,
                 const std::map<std::string, std::function<void(int64_t)>>& loops) {
  std::cout << what << std::endl;
  std::string name;
  int64_t calls = 0;
  while (std::cin >> name >> calls) {
    const auto loop = loops.find(name);
    if (loop == loops.end()) {
      std::cerr << "There is no measurement " << name << ".\n";
      return 1;
    }
    const int64_t wall = nanoseconds(CLOCK_MONOTONIC);
    const int64_t cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    loop->second(calls);
    const int64_t cpu_end = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const int64_t wall_end = nanoseconds(CLOCK_MONOTONIC);
    std::cout << wall_end - wall << ' ' << cpu_end - cpu << std::endl;
  }
  return 0;
}
