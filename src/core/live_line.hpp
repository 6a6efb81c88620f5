#pragma once

#include <string>

namespace polytrain {

// Progress on standard error. On a terminal a line that is written over by the next one; elsewhere
// plain lines, fewer of them.
class LiveLine {
  public:
    LiveLine();
    // Ends the line that is open.
    ~LiveLine();
    LiveLine(const LiveLine&) = delete;
    LiveLine& operator=(const LiveLine&) = delete;

    bool terminal() const { return terminal_; }
    // `stays`: the next one doesn't write over it.
    void show(const std::string& text, bool stays = false);

  private:
    bool terminal_, open_ = false;
};

}  // namespace polytrain
