//! How small can a difference be told? Steps go, then what is special about each segment, as long
//! as the difference stays.

use super::script::{Case, Say, Stamp, Step};

/// The smallest case found that still `fails`.
pub(super) fn shrink(case: &Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut best = case.clone();
    loop {
        let before = best.clone();
        drop_steps(&mut best, &mut fails);
        simplify(&mut best, &mut fails);
        if best == before {
            return best;
        }
    }
}

fn drop_steps(best: &mut Case, fails: &mut impl FnMut(&Case) -> bool) {
    let mut at = best.steps.len();
    while at > 0 {
        at -= 1;
        let mut shorter = best.clone();
        shorter.steps.remove(at);
        if fails(&shorter) {
            *best = shorter;
        }
    }
}

fn simplify(best: &mut Case, fails: &mut impl FnMut(&Case) -> bool) {
    for at in 0..best.steps.len() {
        for simpler in simpler_steps(&best.steps[at]) {
            let mut case = best.clone();
            case.steps[at] = simpler;
            if case != *best && fails(&case) {
                *best = case;
            }
        }
    }
}

fn simpler_steps(step: &Step) -> Vec<Step> {
    let Step::Say(say) = step else { return Vec::new() };
    let plain = Say::honest(say.flags);
    [
        Say { raw: Vec::new(), ..say.clone() },
        Say { sack: Vec::new(), ..say.clone() },
        Say { stamp: Stamp::Honest, ..say.clone() },
        Say { window: plain.window, ..say.clone() },
        Say { urgent: 0, ..say.clone() },
        Say { text: 0, ..say.clone() },
        Say { seq: plain.seq, ..say.clone() },
        Say { ack: plain.ack, ..say.clone() },
    ]
    .map(Step::Say)
    .to_vec()
}
