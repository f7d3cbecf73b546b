# let listener = b.listen("10.0.0.2:80".parse().unwrap(), ListenOptions::default()).unwrap();
# let to = "10.0.0.2:80".parse().unwrap();
# let client = a.connect(now, to, ConnectOptions::default()).unwrap();
# carry(now, &mut a, &mut b);
# let server = b.accept(listener).unwrap().unwrap();