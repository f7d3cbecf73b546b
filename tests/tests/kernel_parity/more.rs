//! Which further situations are played on 127.0.0.1? Queues, waiting tasks, and readiness after each kind of end;
//! the rest of `kernel_parity`, which says how.

/// For one implementation of the types, in a module that has them in scope.
macro_rules! more_situations {
    () => {
        /// What a stream says of itself, bit by bit, when it is ready for any of `interest`.
        async fn bits(s: &TcpStream, interest: Interest) -> String {
            match tokio::time::timeout(BRIEFLY, s.ready(interest)).await {
                Ok(Ok(r)) => format!("{r:?}"),
                Ok(Err(e)) => format!("{:?}", e.kind()),
                Err(_) => "waits".to_owned(),
            }
        }

        /// Whether a call waits: that shows by nothing else than time.
        async fn briefly<T>(call: impl Future<Output = io::Result<T>>) -> io::Result<()> {
            let result = tokio::time::timeout(BRIEFLY, call).await;
            result.unwrap_or(Err(io::ErrorKind::WouldBlock.into())).map(drop)
        }

        /// A listener whose queue takes no more: it holds one more than its backlog.
        async fn full() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
            let s = TcpSocket::new_v4().unwrap();
            s.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let l = s.listen(1).unwrap();
            let addr = l.local_addr().unwrap();
            let mut queued = Vec::new();
            for _ in 0..2 {
                queued.push(TcpStream::connect(addr).await.unwrap());
            }
            (l, addr, queued)
        }

        /// Writes until nothing more is taken.
        async fn fill(s: &TcpStream) -> io::ErrorKind {
            let block = vec![7; 1 << 20];
            loop {
                while s.try_write(&block).is_ok() {}
                if let Err(e) = briefly(s.writable()).await {
                    return e.kind();
                }
            }
        }

        async fn queues(situation: &str, n: &mut Notes) {
            match situation {
                "connect to a full backlog" => {
                    let (l, addr, _queued) = full().await;
                    let mut third = std::pin::pin!(TcpStream::connect(addr));
                    n.note("connect", briefly(third.as_mut()).await);
                    n.note("accept", ok(l.accept().await));
                    n.note("the same connect", ok(third.await));
                }
                "the listener goes while a connect waits" => {
                    let (l, addr, _queued) = full().await;
                    let mut third = std::pin::pin!(TcpStream::connect(addr));
                    n.note("connect", briefly(third.as_mut()).await);
                    drop(l);
                    n.note("the same connect", ok(third.await));
                }
                "listen with a backlog of 0" => {
                    let s = TcpSocket::new_v4().unwrap();
                    s.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let l = s.listen(0).unwrap();
                    let addr = l.local_addr().unwrap();
                    let first = TcpStream::connect(addr).await;
                    n.note("first", ok(first.as_ref().map_err(|e| e.kind().into())));
                    n.note("second", briefly(TcpStream::connect(addr)).await);
                    n.note("accept", ok(l.accept().await));
                }
                "two tasks accept" => {
                    let l = std::sync::Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
                    let addr = l.local_addr().unwrap();
                    let accept = |l: std::sync::Arc<TcpListener>| {
                        tokio::spawn(async move { l.accept().await.map(|(_, peer)| peer) })
                    };
                    let (a, b) = (accept(l.clone()), accept(l.clone()));
                    let one = TcpStream::connect(addr).await.unwrap();
                    let two = TcpStream::connect(addr).await.unwrap();
                    let mut got = vec![a.await.unwrap().unwrap(), b.await.unwrap().unwrap()];
                    let mut expected = vec![one.local_addr().unwrap(), two.local_addr().unwrap()];
                    (got.sort(), expected.sort());
                    n.note("each has one", Ok(got == expected));
                }
                "a task that accepts is cancelled" => {
                    let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    n.note("accept", briefly(l.accept()).await);
                    let a = TcpStream::connect(l.local_addr().unwrap()).await.unwrap();
                    let peer = l.accept().await.map(|(_, peer)| peer);
                    n.note("the next has it", peer.map(|p| p == a.local_addr().unwrap()));
                }
                "two listeners with reuseport, and a third without" => {
                    let shared = || {
                        let s = TcpSocket::new_v4().unwrap();
                        s.set_reuseport(true).unwrap();
                        s
                    };
                    let (one, two) = (shared(), shared());
                    one.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let addr = one.local_addr().unwrap();
                    n.note("bind", two.bind(addr));
                    let l = (one.listen(8), two.listen(8));
                    n.note("both listen", Ok((l.0.is_ok(), l.1.is_ok())));
                    n.note("third", TcpSocket::new_v4().unwrap().bind(addr));
                }
                "two sockets bind with reuseaddr, and both listen" => {
                    let s = || {
                        let s = TcpSocket::new_v4().unwrap();
                        s.set_reuseaddr(true).unwrap();
                        s
                    };
                    let (one, two) = (s(), s());
                    one.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    n.note("bind", two.bind(one.local_addr().unwrap()));
                    let first = one.listen(8);
                    n.note("first", ok(first.as_ref().map_err(|e| e.kind().into())));
                    n.note("second", ok(two.listen(8)));
                }
                "listen on the port of a connection" => {
                    let (a, _b) = pair().await;
                    n.note("bind", ok(TcpListener::bind(a.local_addr().unwrap()).await));
                }
                "a connect is cancelled" => {
                    let (l, addr, _queued) = full().await;
                    n.note("connect", briefly(TcpStream::connect(addr)).await);
                    n.note("accept", ok(l.accept().await));
                    n.note("accept", ok(l.accept().await));
                    n.note("accept", briefly(l.accept()).await);
                }
                other => panic!("`{other}` is not played"),
            }
        }

        #[expect(clippy::too_many_lines, reason = "a list")]
        async fn more(situation: &str, n: &mut Notes) {
            let mut buf = [0; 16];
            match situation {
                "a close with a linger of 0" => {
                    let (mut a, mut b) = pair().await;
                    a.write_all(b"text").await.unwrap();
                    while b.peek(&mut buf).await.unwrap() < 4 {}
                    a.set_zero_linger().unwrap();
                    n.note("linger", a.linger());
                    drop(a);
                    b.ready(Interest::ERROR).await.unwrap();
                    n.note("peer reads", b.read(&mut buf).await);
                    n.note("again", b.read(&mut buf).await);
                    n.note("third", b.read(&mut buf).await);
                }
                "both shut down at once" => {
                    let (mut a, mut b) = pair().await;
                    let (x, y) = tokio::join!(a.shutdown(), b.shutdown());
                    n.note("shutdown", x.and(y));
                    n.note("read", a.read(&mut buf).await);
                    n.note("peer reads", b.read(&mut buf).await);
                    n.note("write", a.write(b"text").await);
                    n.note("shutdown again", a.shutdown().await);
                    n.note("peer", ok(a.peer_addr()));
                }
                "a reset after own shutdown" => {
                    let (mut a, b) = pair().await;
                    a.shutdown().await.unwrap();
                    reset(b, &a).await;
                    n.note("read", a.read(&mut buf).await);
                    n.note("again", a.read(&mut buf).await);
                    n.note("shutdown again", a.shutdown().await);
                }
                "peek after a reset" => {
                    let (mut a, b) = pair().await;
                    reset(b, &a).await;
                    n.note("peek", a.peek(&mut buf).await);
                    n.note("read", a.read(&mut buf).await);
                    n.note("write", a.write(b"text").await);
                }
                "the peer resets while the pipe is full" => {
                    let (mut a, b) = pair().await;
                    n.note("until", Ok(fill(&a).await));
                    reset(b, &a).await;
                    n.note("write", a.write(b"text").await);
                    n.note("again", a.write(b"text").await);
                }
                "a full pipe, and room again" => {
                    let (a, mut b) = pair().await;
                    n.note("until", Ok(fill(&a).await));
                    n.note("try_write", a.try_write(b"text"));
                    let mut rest = vec![0; 1 << 20];
                    let drain = async { while b.read(&mut rest).await.unwrap() > 0 {} };
                    tokio::select! {
                        r = a.writable() => n.note("writable", r),
                        () = drain => {}
                    }
                }
                "readiness of a new connection" => {
                    let (a, b) = pair().await;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    n.note("connected", Ok(bits(&a, both).await));
                    n.note("accepted reads", b.try_read(&mut buf));
                    n.note("then", Ok(bits(&b, both).await));
                    n.note("error", Ok(bits(&a, Interest::ERROR).await));
                }
                "readiness with text, then without" => {
                    let (a, mut b) = pair().await;
                    b.write_all(b"text").await.unwrap();
                    n.note("with", Ok(bits(&a, Interest::READABLE).await));
                    n.note("short read", a.try_read(&mut buf));
                    n.note("try", a.try_read(&mut buf));
                    n.note("without", Ok(bits(&a, Interest::READABLE).await));
                }
                "readiness after own shutdown" => {
                    let (mut a, b) = pair().await;
                    a.shutdown().await.unwrap();
                    n.note("write", Ok(bits(&a, Interest::WRITABLE).await));
                    n.note("read", Ok(bits(&a, Interest::READABLE).await));
                    n.note("peer", Ok(bits(&b, Interest::READABLE).await));
                }
                "readiness after both shut down" => {
                    let (mut a, mut b) = pair().await;
                    a.shutdown().await.unwrap();
                    b.shutdown().await.unwrap();
                    b.readable().await.unwrap();
                    n.note("readable", a.readable().await);
                    n.note("read", Ok(bits(&a, Interest::READABLE).await));
                    n.note("write", Ok(bits(&a, Interest::WRITABLE).await));
                }
                "readiness after the peer closed with unread text" => {
                    let (mut a, b) = pair().await;
                    a.write_all(b"text").await.unwrap();
                    while b.peek(&mut buf).await.unwrap() < 4 {}
                    drop(b);
                    a.ready(Interest::ERROR).await.unwrap();
                    n.note("read", Ok(bits(&a, Interest::READABLE).await));
                    n.note("write", Ok(bits(&a, Interest::WRITABLE).await));
                    n.note("error", Ok(bits(&a, Interest::ERROR).await));
                }
                "a closure that would block" => {
                    let (a, mut b) = pair().await;
                    b.write_all(b"text").await.unwrap();
                    a.readable().await.unwrap();
                    let mut ran = 0;
                    let mut would_block = || {
                        a.try_io(Interest::READABLE, || -> io::Result<()> {
                            ran += 1;
                            Err(io::ErrorKind::WouldBlock.into())
                        })
                    };
                    n.note("try_io", would_block());
                    n.note("again", would_block());
                    n.note("runs", Ok(ran));
                    n.note("readable", briefly(a.readable()).await);
                    n.note("try_read", a.try_read(&mut buf));
                }
                "halves of two streams" => {
                    let ((a, b), (c, _d)) = (pair().await, pair().await);
                    let ((read, write), (other, _w)) = (a.into_split(), c.into_split());
                    n.note(
                        "reunite",
                        Ok(other.reunite(write).map(drop).map_err(|e| e.to_string())),
                    );
                    drop(read);
                    n.note("peer reads", b.try_read(&mut buf).or_else(|_| Ok(0)));
                }
                "a linger time" => {
                    let (a, mut b) = pair().await;
                    #[allow(deprecated, reason = "tokio says so, we do not")]
                    n.note("set", a.set_linger(Some(std::time::Duration::from_secs(3))));
                    n.note("linger", a.linger());
                    drop(a);
                    n.note("peer reads", b.read(&mut buf).await);
                }
                other => queues(other, n).await,
            }
        }
    };
}
