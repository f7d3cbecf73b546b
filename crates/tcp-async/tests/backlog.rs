//! How many connections wait to be accepted?
mod common;

use common::{ADDR, in_virtual_time, net};
use tcp_async::TcpSocket;

#[test]
fn backlog_zero_lets_one_wait_and_the_next_comes_when_it_is_accepted() {
    in_virtual_time(async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        socket.bind(format!("{ADDR}:80").parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let first = net.connect((ADDR, 80)).await.unwrap();
        let (n, m) = (net.clone(), net.clone());
        let second = tokio::spawn(async move { n.connect((ADDR, 80)).await });
        let third = tokio::spawn(async move { m.connect((ADDR, 80)).await });
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, first.local_addr().unwrap());
        assert_eq!(listener.pending(), 0);
        for _ in 0..2 {
            listener.accept().await.unwrap();
        }
        second.await.unwrap().unwrap();
        third.await.unwrap().unwrap();
    });
}
