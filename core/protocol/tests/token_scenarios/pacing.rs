//! All contacts fall due in the same second of a Thursday.

use sendpath_protocol::peer::Names;
use sendpath_protocol::tctoken::issue::IqEnd;
use sendpath_protocol::tctoken::policy::MessageKind;

use crate::world::*;

#[test]
fn scenario_22_the_roll_over_of_all_contacts_is_paced_and_delays_nobody() {
    let mut world = World::new();
    let person = |number: usize| format!("2000000{number:08}@lid");
    for number in 0..3_000 {
        let names = Names::of(peer(&person(number)));
        world.history(
            &names,
            Some("token"),
            NOW.unsigned_abs(),
            NOW.unsigned_abs(),
        );
    }
    world.at(T1);
    let start = world.mono;
    let mut flying = Vec::new();
    let mut left = Vec::new();
    for number in 0..3_000 {
        let (to, names) = (person(number), Names::of(peer(&person(number))));
        let attach = world.attach_as(&to, &names, MessageKind::Content);
        assert!(attach.has_token(), "every message goes out at once");
        flying.extend(world.sent_as(&to, &names, MessageKind::Content));
        assert!(flying.len() <= 4, "four in flight");
        if number % 50 == 49 {
            world.pass(1);
            for issue in std::mem::take(&mut flying) {
                left.push(issue.peer.clone());
                flying.extend(world.ended(&issue, IqEnd::Ok));
            }
        }
    }
    let seconds = usize::try_from((world.mono - start) / 1_000).unwrap();
    assert!(
        left.len() <= 2 * seconds + 1,
        "two a second, {}",
        left.len()
    );
    assert!(
        left.len() >= seconds / 2,
        "and it does go on, {}",
        left.len()
    );
}
