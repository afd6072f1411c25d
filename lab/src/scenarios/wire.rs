//! Guests with an emulated network card and console, beside their IOMMU and behind it, next to an assigned disk.

use super::Scenario;
use crate::report::Report;

const CARD: &str = "tap-name=tap0,mac=02:00:00:00:00:07";
const CONSOLE: &str = "type=file,path=/run/hvc0,hardware=virtio-console,input=/run/typed";

/// Both.
pub(super) fn all() -> Vec<Scenario> {
    vec![scenario("wire", "off", 0), scenario("wire-viommu", "viommu", 2)]
}

fn scenario(name: &str, place: &str, endpoints: usize) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.guest.actions.push("wire");
    let [card, console] = [CARD, CONSOLE].map(|device| format!("{device},iommu={place}"));
    scenario.guest.options = vec!["--net".into(), card, "--serial".into(), console];
    scenario.emulated = endpoints;
    scenario
}

/// What does not hold of card and console.
pub(super) fn failures(scenario: &Scenario, report: &Report) -> Vec<String> {
    if !scenario.guest.actions.contains(&"wire") {
        return Vec::new();
    }
    let wanted = [("mac", "02:00:00:00:00:07"), ("ping", "ok"), ("received", "ok"), ("sent", "ok")];
    let mut failures = Vec::new();
    for (word, answer) in wanted {
        let said = report.emulated.get(word);
        if said.map(String::as_str) != Some(answer) {
            failures.push(format!("emulated card and console: {word} is {said:?}, expected {answer}"));
        }
    }
    let groups = report.groups.iter().filter(|group| group.driver == "virtio-pci").count();
    if groups != scenario.emulated {
        failures.push(format!("{groups} emulated devices have a group, expected {}", scenario.emulated));
    }
    failures
}

#[cfg(test)]
mod tests;
