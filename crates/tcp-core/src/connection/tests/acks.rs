//! When is what acknowledged, and how are gaps and duplicates told? (RFC 9293 3.8.6.3, RFC 5681
//! 4.2, RFC 2018 4, RFC 2883 4)

use super::super::{SendReason, Verdict};
use super::wire::{MSS, Peer, Sent, Wire, ms, times};
use crate::config::TcpConfig;
use crate::wire::Segment;

/// The only packet of `sent`, which must be a pure ACK.
fn only_ack(sent: &[Sent]) -> &Sent {
    let [ack] = sent else { panic!("not one packet: {sent:?}") };
    assert_eq!((ack.len(), ack.reason), (0, SendReason::Ack));
    ack
}

// SHLD-18, MUST-40
#[test]
fn a_lone_segment_is_acknowledged_after_40_ms() {
    let mut w = Wire::new();
    let start = w.now;
    w.text(0, 300);
    let sent = w.wait(ms(500));
    assert_eq!((only_ack(&sent).ack, times(&sent, start)), (300, std::vec![40]));
}

// MUST-40: later text does not put the ACK off.
#[test]
fn the_delay_counts_from_the_first_segment() {
    let mut w = Wire::new();
    let start = w.now;
    w.text(0, 300);
    assert_eq!(w.wait(ms(30)), []);
    w.text(300, 300);
    let sent = w.wait(ms(500));
    assert_eq!((only_ack(&sent).ack, times(&sent, start)), (600, std::vec![40]));
}

// A peer with Nagle's algorithm would wait for the delay before each of its small segments.
#[test]
fn a_reader_who_has_read_everything_acknowledges() {
    let mut w = Wire::new();
    for i in 0..10 {
        w.text(i * 300, 300);
        assert_eq!(w.sends(), []);
        w.read(299);
        assert_eq!(w.sends(), [], "there is more to read");
        w.read(1);
        assert_eq!(only_ack(&w.sends()).ack, (i + 1) * 300);
    }
}

// SHLD-18: the ACK of a request goes with the answer.
#[test]
fn a_reader_who_answers_acknowledges_with_the_answer() {
    let mut w = Wire::new();
    for i in 0..5 {
        w.text(i * 300, 300);
        w.read(300);
        // The first time nobody knows yet that an answer will come; it comes before the next drain.
        w.write(10);
        let sent = w.sends();
        assert_eq!((sent.len(), sent[0].len(), sent[0].ack), (1, 10, (i + 1) * 300));
        w.ack((i + 1) * 10);
    }
    // Later than before, and still within the delay.
    w.text(1500, 300);
    w.read(300);
    assert_eq!(w.wait(ms(20)), []);
    w.write(10);
    assert_eq!(w.sends()[0].ack, 1800);
    w.ack(60);
    // No answer any more: the delay runs out once, then reading acknowledges.
    w.text(1800, 300);
    w.read(300);
    let start = w.now;
    let sent = w.wait(ms(100));
    assert_eq!((only_ack(&sent).ack, times(&sent, start)), (2100, std::vec![40]));
    w.text(2100, 300);
    w.read(300);
    assert_eq!(only_ack(&w.sends()).ack, 2400);
}

// Neither the SYN-ACK nor the ACKs of an upload are something that text answers.
#[test]
fn an_upload_shows_nothing_of_a_reader() {
    let mut w = Wire::new();
    w.write(20 * MSS);
    while let Some(last) = w.sends().last() {
        let end = last.range().1;
        w.ack(end);
    }
    assert_eq!(w.outstanding(), 0);
    for i in 0..3 {
        w.text(i * 300, 300);
        w.read(300);
        assert_eq!(only_ack(&w.sends()).ack, (i + 1) * 300);
    }
}

#[test]
fn a_reader_of_full_segments_acknowledges_every_second_one() {
    let mut w = Wire::new();
    for i in 0..6 {
        w.text(i * MSS, MSS);
        w.read(MSS as usize);
        assert_eq!(w.sends().len(), i as usize % 2);
    }
}

// SHLD-19
#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut w = Wire::new();
    for i in 0..6 {
        w.text(i * MSS, MSS);
        let sent = w.sends();
        if i % 2 == 0 {
            assert_eq!(sent, []);
        } else {
            assert_eq!(only_ack(&sent).ack, (i + 1) * MSS);
        }
    }
}

// MUST-58, MUST-59
#[test]
fn one_batch_gets_one_ack() {
    let mut w = Wire::new();
    for i in 0..20 {
        w.text(i * MSS, MSS);
    }
    assert_eq!(only_ack(&w.sends()).ack, 20 * MSS);
    assert_eq!(w.wait(ms(500)), []);
}

// MUST-58
#[test]
fn text_of_ours_carries_the_ack() {
    let mut w = Wire::new();
    w.text(0, 300);
    w.sends();
    w.write(10);
    let sent = w.sends();
    assert_eq!((sent.len(), sent[0].len(), sent[0].ack), (1, 10, 300));
    assert_eq!(w.wait(ms(200)), []);
}

#[test]
fn quickack_does_not_wait() {
    let mut w = Wire::new();
    w.text(0, 300);
    assert_eq!(w.sends(), []);
    w.set(|o| o.quickack = true);
    assert_eq!(only_ack(&w.sends()).ack, 300, "also what was waiting already");
    w.text(300, 1);
    assert_eq!(only_ack(&w.sends()).ack, 301);
}

#[test]
fn a_pure_ack_is_not_acknowledged() {
    let mut w = Wire::new();
    w.write(10);
    w.sends();
    w.ack(10);
    assert_eq!(w.wait(ms(500)), []);
}

// MAY-13, SHLD-31, RFC 2018 4
#[test]
fn a_gap_is_told_at_once_and_what_lies_behind_is_kept() {
    let mut w = Wire::new();
    assert_eq!(w.text(MSS, MSS), Verdict::Accepted);
    let sent = w.sends();
    assert_eq!((only_ack(&sent).ack, &sent[0].sack[..]), (0, &[(1000, 2000)][..]));
    assert_eq!(w.read(5000), 0);
    // The filling too (RFC 5681 4.2).
    w.text(0, MSS);
    let sent = w.sends();
    assert_eq!((only_ack(&sent).ack, &sent[0].sack[..]), (2000, &[][..]));
    assert_eq!(w.read(5000), 2000);
}

#[test]
fn filling_one_of_two_gaps_is_told_at_once() {
    let mut w = Wire::new();
    w.text(2 * MSS, MSS);
    w.text(4 * MSS, MSS);
    w.sends();
    w.text(0, 2 * MSS);
    let sent = w.sends();
    assert_eq!((only_ack(&sent).ack, &sent[0].sack[..]), (3000, &[(4000, 5000)][..]));
}

// RFC 2018 4: the block with the newest segment first, then the most recently reported ones.
#[test]
fn the_most_recent_block_comes_first() {
    let mut w = Wire::new();
    for start in [2000, 6000, 4000] {
        w.text(start, MSS);
        w.sends();
    }
    w.text(8000, MSS);
    assert_eq!(w.sends()[0].sack, [(8000, 9000), (4000, 5000), (6000, 7000), (2000, 3000)]);
    w.text(3000, MSS);
    assert_eq!(w.sends()[0].sack, [(2000, 5000), (8000, 9000), (6000, 7000)]);
    w.text(10_000, MSS);
    w.text(12_000, MSS);
    assert_eq!(w.sends()[0].sack.len(), 4, "what the option holds");
}

// RFC 2018 3: beside timestamps there is room for three.
#[test]
fn timestamps_leave_room_for_three_blocks() {
    let peer = Peer { timestamps: true, ..Peer::default() };
    let mut w = Wire::open(peer, TcpConfig::default());
    for i in 1..6 {
        w.text(2 * i * MSS, MSS);
    }
    assert_eq!(w.sends()[0].sack, [(10_000, 11_000), (8000, 9000), (6000, 7000)]);
}

#[test]
fn without_sack_a_gap_is_told_by_the_number_alone() {
    let mut w = Wire::open(Peer { sack: false, ..Peer::default() }, TcpConfig::default());
    for i in 1..4 {
        w.text(i * MSS, MSS);
        let sent = w.sends();
        assert_eq!((only_ack(&sent).ack, sent[0].sack.len()), (0, 0));
    }
}

// RFC 2883 4.1: a duplicate below the ACK.
#[test]
fn an_old_duplicate_is_reported_once() {
    let mut w = Wire::new();
    w.text(0, 2 * MSS);
    w.sends();
    w.text(0, MSS);
    let sent = w.sends();
    assert_eq!((only_ack(&sent).ack, &sent[0].sack[..]), (2000, &[(0, 1000)][..]));
    w.text(2000, 2 * MSS);
    assert_eq!(w.sends()[0].sack, [], "reported already");
}

// RFC 2883 4.2: a duplicate past the gap, followed by the block that holds it.
#[test]
fn a_duplicate_behind_a_gap_precedes_its_block() {
    let mut w = Wire::new();
    w.text(1000, 3 * MSS);
    w.sends();
    w.text(2000, MSS);
    assert_eq!(w.sends()[0].sack, [(2000, 3000), (1000, 4000)]);
}

// RFC 2883 4.2: a segment of which the first part is old.
#[test]
fn the_new_part_of_an_overlapping_segment_is_taken_and_the_old_reported() {
    let mut w = Wire::new();
    w.text(0, MSS);
    w.sends();
    w.text(500, MSS);
    let sent = w.sends();
    assert_eq!((only_ack(&sent).ack, &sent[0].sack[..]), (1500, &[(500, 1000)][..]));
    assert_eq!(w.read(5000), 1500);
}

#[test]
fn text_beyond_the_window_is_cut_off() {
    let mut w = Wire::new();
    let edge = w.conn.info().receive_window;
    w.text(0, edge + 500);
    let sent = w.sends();
    assert_eq!((sent.len(), sent[0].ack), (1, edge));
}

#[test]
fn an_ack_of_what_was_never_sent_is_challenged() {
    // RFC 5961 5.2
    let mut w = Wire::new();
    let seg = Segment { ack: w.our_seq(1), ..w.segment() };
    assert!(matches!(w.deliver(&seg), Verdict::Dropped(_)));
    let sent = w.sends();
    assert_eq!((sent.len(), sent[0].reason), (1, SendReason::ChallengeAck));
}
