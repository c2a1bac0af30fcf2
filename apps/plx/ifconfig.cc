// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <optional>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
std::string flags(const Json& i) {
  std::string text = i.value("up", false) ? "UP" : "DOWN";
  if (i.contains("link") && i["link"].is_boolean()) text += i["link"] ? ",RUNNING" : ",NO-CARRIER";
  if (i.value("absent", false)) text += ",ABSENT";
  if (i.value("promiscuous", false)) text += ",PROMISC";
  if (i.value("kind", "") == "tunnel") text += ",POINTOPOINT";
  return text;
}

/// "inet6 fe80::1%lan0/64 tentative", as NetBSD's ifconfig has it.
std::string show_address(const std::string& interface, const Json& a) {
  std::string text = text_of(a, "address");
  const bool six = text.find(':') != std::string::npos;
  if (text.starts_with("fe80:")) text.insert(text.find('/'), '%' + interface);
  std::string out = fmt::format("\t{} {}", six ? "inet6" : "inet", text);
  if (const std::string state = a.value("state", ""); state != "preferred") out += ' ' + state;
  if (a.value("origin", "") == "autoconf") out += " autoconf";
  for (const char* life : {"preferred_s", "valid_s"})
    if (a.contains(life) && !a[life].is_null())
      out += fmt::format(" {} {}", life[0] == 'p' ? "pltime" : "vltime", count_of(a, life));
  return out + '\n';
}

/// @param groups  multicast groups as well.
std::string show(const Json& interfaces, bool groups) {
  std::string out;
  for (const Json& i : interfaces) {
    out += fmt::format("{}: flags=<{}> mtu {}\n", text_of(i, "name"), flags(i), text_of(i, "mtu"));
    if (i.contains("mac")) out += fmt::format("\tether {}\n", text_of(i, "mac"));
    for (const Json& address : i.value("address_states", Json::array()))
      out += show_address(text_of(i, "name"), address);
    if (groups)
      for (const Json& group : i.value("groups", Json::array()))
        out += fmt::format("\tgroup {}\n", group.get<std::string>());
    if (const std::uint64_t speed = count_of(i, "speed_mbps"); speed != 0)
      out += fmt::format("\tmedia: {} Mbit/s\n", speed);
    if (const auto vlan = i.find("vlan"); vlan != i.end())
      out += fmt::format("\tvlan: {} vlanproto: {} parent: {}\n", text_of(*vlan, "id"),
                         text_of(*vlan, "protocol"), text_of(*vlan, "parent"));
    if (const std::string vrf = i.value("vrf", "default"); vrf != "default")
      out += fmt::format("\tvrf: {}\n", vrf);
    if (const std::string urpf = i.value("urpf", "off"); urpf != "off")
      out += fmt::format("\turpf: {}\n", urpf);
    out += fmt::format("\tdriver {} device {}", text_of(i, "driver"), text_of(i, "device"));
    if (i.value("kind", "") == "ethernet")
      out += fmt::format(" queues {} rx {} tx", count_of(i, "rx_queues"), count_of(i, "tx_queues"));
    out += '\n';
  }
  return out;
}

std::string show_short(const Json& interfaces) {
  return show(interfaces, false);
}
std::string show_groups(const Json& interfaces) {
  return show(interfaces, true);
}

/// A word that switches something on or, as "-word", off. The command line's parser takes words
/// with a dash for options and gets them as "no-word".
std::optional<bool> switched(const std::string& word, std::string_view what) {
  if (word == what) return true;
  if (word.size() > what.size() && word.ends_with(what)) {
    const std::string_view front = std::string_view{word}.substr(0, word.size() - what.size());
    if (front == "-" || front == "no-") return false;
  }
  return std::nullopt;
}

/// The words behind the interface's name, one after the other.
class Reader {
public:
  Reader(const Words& words, std::size_t first) : words_{words}, next_{first} {}
  [[nodiscard]] bool at_end() const { return next_ >= words_.size(); }
  const std::string& take() { return words_[next_++]; }
  /// The value behind `word`. @throws UsageError where there is none.
  const std::string& value(const std::string& word) {
    if (at_end()) throw UsageError{fmt::format("ifconfig: {}: expected a value behind it", word)};
    return take();
  }
  /// Takes the next word if it is one of these.
  bool skip(std::initializer_list<std::string_view> wanted) {
    for (const std::string_view w : wanted)
      if (!at_end() && words_[next_] == w) {
        ++next_;
        return true;
      }
    return false;
  }

private:
  const Words& words_;
  std::size_t next_;
};

/// What can be said of an interface that is there and of one that is to be made. @return whether
/// `word` was such a word.
bool read_setting(const std::string& word, Reader& words, Json& set) {
  if (word == "up" || word == "down") {
    set["up"] = word == "up";
  } else if (word == "mtu") {
    set["mtu"] = number(words.value(word), "mtu");
  } else if (const auto promiscuous = switched(word, "promisc")) {
    set["promiscuous"] = *promiscuous;
  } else if (const auto rss = switched(word, "rss")) {
    set["software_rss"] = *rss;
  } else if (word == "vrf" || word == "urpf") {
    set[word] = words.value(word);
  } else if (const auto autoconf = switched(word, "autoconf")) {
    set["autoconf"] = *autoconf;
  } else {
    return false;
  }
  return true;
}

[[noreturn]] void bad_word(const std::string& word, const char* expected) {
  throw UsageError{fmt::format("ifconfig: \"{}\", expected {}", word, expected)};
}

std::string show_name(const Json& result) {
  return text_of(result, "name") + '\n';
}

/// `vlan7 create vlan 7 vlandev wan0`, `lo0 create`, `tap0 create iface=t0 mtu 9000`.
Plan create(const std::string& name, Reader words) {
  Json params = Json::object(), options = Json::object(), addresses = Json::array();
  bool vlan = false;
  while (!words.at_end()) {
    const std::string word = words.take();
    if (read_setting(word, words, params)) continue;
    if (word == "vlan" || word == "vlandev" || word == "vlanproto") {
      vlan = true;
      options[word == "vlan" ? "id" : word == "vlandev" ? "parent" : "proto"] = words.value(word);
    } else if (word == "inet" || word == "inet6") {
      if (word == "inet6" && words.skip({"autoconf"})) {
        params["autoconf"] = true;
        continue;
      }
      addresses.push_back(words.value(word));
      words.skip({"alias"});
    } else if (const auto equals = word.find('='); equals != std::string::npos && equals != 0) {
      options[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      bad_word(
          word,
          "vlan ID, vlandev IF, vlanproto 802.1Q|802.1ad, OPTION=VALUE of the driver, inet "
          "ADDRESS/LENGTH, vrf NAME, urpf strict|loose|off, up, down, mtu N, [-]promisc or [-]rss");
    }
  }
  const std::string type = name.substr(0, name.find_last_not_of("0123456789") + 1);
  params["driver"] = vlan ? "vlan" : type;
  if (!options.empty()) params["options"] = std::move(options);
  if (!addresses.empty()) params["addresses"] = std::move(addresses);
  // Without a number it is the driver's type alone, and the daemon numbers it.
  const bool numbered = type != name || (vlan && name != "vlan");
  if (numbered) params["name"] = name;
  return Plan{"interface.create", std::move(params), numbered ? nullptr : show_name};
}

Plan change(const std::string& name, Reader words) {
  Plan plan;
  Json set{{"name", name}};
  while (!words.at_end()) {
    const std::string word = words.take();
    if (read_setting(word, words, set)) continue;
    if (word == "name") {
      set["new_name"] = words.value(word);
    } else if (const auto rtadv = switched(word, "rtadv")) {
      plan.calls.push_back({"interface.rtadv.set", {{"name", name}, {"enabled", *rtadv}}});
    } else if (word == "join" || word == "leave") {
      plan.calls.push_back({"group." + word, {{"name", name}, {"group", words.value(word)}}});
    } else if (word == "inet6" && words.skip({"autoconf"})) {
      set["autoconf"] = true;
    } else if (word == "inet6" && words.skip({"-autoconf", "no-autoconf"})) {
      set["autoconf"] = false;
    } else if (word == "inet" || word == "inet6") {
      Call call{"interface.address.add", {{"name", name}, {"address", words.value(word)}}};
      if (words.skip({"delete", "-alias", "no-alias"}))
        call.method = "interface.address.delete";
      else
        words.skip({"alias"});
      plan.calls.push_back(std::move(call));
    } else {
      bad_word(
          word,
          "inet|inet6 ADDRESS/LENGTH [alias|delete|-alias], inet6 [-]autoconf, [-]rtadv, "
          "join GROUP, leave GROUP, vrf NAME, urpf strict|loose|off, up, down, mtu N, [-]promisc, "
          "[-]rss, name NEW, create or "
          "destroy");
    }
  }
  if (set.size() > 1) plan.calls.push_back({"interface.set", std::move(set)});
  return plan;
}
}  // namespace

Plan ifconfig(const Words& words, bool groups) {
  const Plan::Show show_them = groups ? show_groups : show_short;
  if (words.empty()) return Plan{"interface.list", Json::object(), show_them};
  const std::string& name = words[0];
  if (words.size() == 1) return Plan{"interface.list", {{"name", name}}, show_them};
  if (words[1] == "create") return create(name, Reader{words, 2});
  if (words[1] != "destroy") return change(name, Reader{words, 1});
  if (words.size() > 2) throw UsageError{"ifconfig: destroy stands alone"};
  return Plan{"interface.destroy", {{"name", name}}};
}

Plan mount(const std::string& type, const Words& options, const std::string& driver) {
  if (type != "io-pkt") throw UsageError{fmt::format("mount: -T {}: expected io-pkt", type)};
  std::string device = driver;
  for (const std::string& option : options) device += ',' + option;
  return Plan{"interface.mount", {{"device", device}}, show_name};
}
}  // namespace plx
