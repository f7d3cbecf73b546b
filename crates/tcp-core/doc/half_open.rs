# // Hidden set-up, behind `established.rs`: `client` has sent its `syn`, which has made the record `half`;
# // `last` is the ACK with which a copy of the client completes the handshake.
# let config = Arc::new(TcpConfig::default());
# let mut client = Connection::connect(now, CALLER, config.clone());
# let syn = drain(&mut client, now).remove(0);
# let syn = Segment::parse(&syn).unwrap();
# let mut half = HalfOpen::on_syn(now, LISTENER, &syn, 0, &config);
# let mut copy = Connection::connect(now, CALLER, config.clone());
# drain(&mut copy, now);
# copy.on_segment(now, &half.syn_ack(now, &config), 0);
# let last = drain(&mut copy, now).remove(0);
# let last = Segment::parse(&last).unwrap();
