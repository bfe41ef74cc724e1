#include "harness/report.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "harness/machine.hpp"
#include "harness/statistics.hpp"

namespace midplane::bench {
namespace {

std::string number(double value, const char* format = "%.6g") {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string number_or(const std::optional<double>& value, const char* otherwise) {
  return value ? number(*value) : otherwise;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + '"';
}

std::string row_of(const char* distance, const Figure& figure, const Summary& summary, bool counts) {
  if (summary.pairs == 0) return {};
  char line[200];
  std::snprintf(line, sizeof line, "  %-6s%c %5zu %9.0f %11.4g %11.4g %8.3f %7.0f %% %9.3f %9.3f\n", distance,
                counts ? '*' : ' ', summary.pairs, summary.crossing_ns, summary.ours, summary.theirs,
                figure.question.rival.empty() ? 0 : summary.ratio, summary.spread * 100, summary.ours_cpu,
                summary.theirs_cpu);
  return line;
}

std::string json_of(const Summary& summary) {
  if (summary.pairs == 0) return "null";
  return "{\"pairs\": " + std::to_string(summary.pairs) + ", \"ours\": " + number(summary.ours) +
         ", \"theirs\": " + number(summary.theirs) + ", \"ratio\": " + number(summary.ratio) +
         ", \"spread\": " + number(summary.spread) + ", \"crossing_ns\": " + number(summary.crossing_ns) +
         "}";
}

}  // namespace

Arguments arguments_of(int argc, char** argv) {
  Arguments arguments;
  if (const char* seconds = std::getenv("MIDPLANE_BENCH_SECONDS"))
    arguments.limits.seconds = std::atof(seconds);
  for (int at = 1; at < argc; ++at) {
    const std::string_view word = argv[at];
    const bool has_value = at + 1 < argc;
    if (word == "--quick")
      arguments.limits.quick = true;
    else if (word == "--seconds" && has_value)
      arguments.limits.seconds = std::atof(argv[++at]);
    else if (word == "--pairs" && has_value)
      arguments.limits.pairs = std::strtoul(argv[++at], nullptr, 10);
    else if (word == "--json" && has_value)
      arguments.json = argv[++at];
    else if (word == "--ours-only" && has_value)
      arguments.ours_only = std::atof(argv[++at]);
    else if (word == "--executor" && has_value)
      arguments.executor = argv[++at];
    else {
      std::fprintf(stderr,
                   "usage: %s [--quick] [--seconds S] [--pairs N] [--json FILE] [--ours-only SECONDS] "
                   "[--executor pool|yielding|inline|manual]\n",
                   argv[0]);
      std::exit(2);
    }
  }
  return arguments;
}

std::string table_of(const Figure& figure) {
  const Question& asked = figure.question;
  std::string text = asked.row + ": " + asked.question + " [" + asked.unit + "]\n";
  if (!asked.rival.empty()) text += "  rival: " + asked.rival + "\n";
  if (!asked.setting.empty()) text += "  " + asked.setting + "\n";
  text += "  cores   pairs  cross ns        ours      theirs    ratio    spread  CPU ours    theirs\n";
  text += row_of("close", figure, figure.close, figure.counts_close);
  text += row_of("apart", figure, figure.apart, !figure.counts_close);
  const bool is_apart = !figure.counts_close && !asked.rival.empty();
  text += "  * counts" + std::string{is_apart ? "; the cores were not close often enough" : ""} + ". ";
  text += figure.verdict() + " (bar " + number_or(asked.bar, "none") + ", goal " +
          number_or(asked.goal, "none") + ", " + (asked.higher_is_better ? "higher" : "lower") +
          " is better" + (figure.is_quick ? "; quick" : "") + ")\n";
  return text;
}

std::string json_of(const Figure& figure) {
  const Question& asked = figure.question;
  const Summary& counted = figure.counted();
  const bool has_rival = !asked.rival.empty();
  const bool has_ratio = has_rival && asked.judged == Judged::ratio;
  std::string text = "{\"row\": " + quoted(asked.row) + ", \"question\": " + quoted(asked.question);
  text += ", \"unit\": " + quoted(asked.unit) + ", \"rival\": " + (has_rival ? quoted(asked.rival) : "null");
  text += ", \"ours\": " + number(counted.ours) +
          ", \"theirs\": " + (has_rival ? number(counted.theirs) : "null");
  text += ", \"ratio\": " + (has_ratio ? number(counted.ratio) : "null") +
          ", \"spread\": " + number(counted.spread);
  text += ", \"bar\": " + number_or(asked.bar, "null") + ", \"goal\": " + number_or(asked.goal, "null");
  text += ", \"better\": " + std::string{asked.higher_is_better ? "\"higher\"" : "\"lower\""};
  text += ", \"verdict\": " + quoted(figure.verdict()) + ", \"cores\": ";
  text += figure.counts_close ? "\"close\"" : "\"apart\"";
  text +=
      ", \"crossing_ns\": " + number(counted.crossing_ns) + ", \"pairs\": " + std::to_string(counted.pairs);
  text += ", \"cpu_ours\": " + number(counted.ours_cpu) + ", \"cpu_theirs\": " + number(counted.theirs_cpu);
  text +=
      ", \"lost\": " + std::to_string(figure.lost) + ", \"quick\": " + (figure.is_quick ? "true" : "false");
  text += ", \"setting\": " + quoted(asked.setting) + ", \"close\": " + json_of(figure.close);
  return text + ", \"apart\": " + json_of(figure.apart) + "}";
}

bool report(const Figure& figure, const Arguments& arguments) {
  std::printf("%s\n", table_of(figure).c_str());
  std::fflush(stdout);
  if (!arguments.json.empty()) std::ofstream{arguments.json, std::ios::app} << json_of(figure) << '\n';
  return figure.fault().empty();
}

bool ran_alone(const Question& question, const Side& ours, const Arguments& arguments) {
  if (arguments.ours_only <= 0) return false;
  std::vector<double> values, cpu;
  std::uint64_t lost = 0;
  for (const double start = now_seconds(); now_seconds() - start < arguments.ours_only;) {
    const Sample sample = ours();
    values.push_back(sample.value);
    cpu.push_back(sample.cpu_per_million);
    lost += sample.lost;
  }
  std::printf("%s: %s: ours alone %.4g %s, %.3f CPU s per M, %llu lost, %zu runs\n", question.row.c_str(),
              question.question.c_str(), median(values), question.unit.c_str(), median(cpu),
              static_cast<unsigned long long>(lost), values.size());
  std::fflush(stdout);
  return true;
}

bool answer(Question question, const Side& ours, const Side& theirs, const Arguments& arguments) {
  if (ran_alone(question, ours, arguments)) return true;
  return answer(std::move(question), measure_pairs(ours, theirs, arguments.limits), arguments);
}

bool answer(Question question, const std::vector<Pair>& pairs, const Arguments& arguments) {
  Figure figure = sum_up(std::move(question), pairs, arguments.limits.pairs);
  figure.is_quick = arguments.limits.quick;
  return report(figure, arguments);
}

}  // namespace midplane::bench
