# let pending = Some(PendingOptions::default());
# let options = ListenOptions { pending, ..ListenOptions::default() };
# let listener = b.listen("10.0.0.2:80".parse().unwrap(), options).unwrap();
# let to = "10.0.0.2:80".parse().unwrap();
# let client = a.connect(now, to, ConnectOptions::default()).unwrap();
# carry(now, &mut a, &mut b);