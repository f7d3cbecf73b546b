//! How does the server serve one test after the other? Connections come with the cookie of their test:
//! the first of a test leads it, those it asked for carry its text, all others are denied.

use std::time::Duration;

use library_examples::common::{Host, Result};
use tcp_async::{TcpListener, TcpStream};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};

use crate::flows::{Direction, Flows};
use crate::protocol::{Control, Cookie, PATIENCE, Parameters, Results, State, soon};
use crate::report::{Format, Report};

/// How many tests are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turns {
    One,
    All,
}

/// A connection that has said which test it is for.
type Arrival = (Cookie, TcpStream);

pub(crate) struct Server {
    arrivals: mpsc::Receiver<Arrival>,
}

impl Server {
    pub(crate) async fn bind(host: &Host, port: u16) -> Result<Server> {
        let (tell, arrivals) = mpsc::channel(16);
        for addr in host.addrs(port) {
            let listener = host.net.listen(addr).await?;
            tokio::spawn(accept(listener, tell.clone()));
        }
        Ok(Server { arrivals })
    }

    pub(crate) async fn run(mut self, turns: Turns, format: Format) -> Result {
        while let Some((cookie, stream)) = self.arrivals.recv().await {
            // Who has gone already takes nobody's turn.
            let Ok(peer) = stream.peer_addr() else { continue };
            if format == Format::Text {
                println!("Accepted connection from {}, port {}", peer.ip(), peer.port());
            }
            let result = self.test(cookie, stream, format).await;
            if turns == Turns::One {
                return result;
            }
            if let Err(e) = result {
                eprintln!("the test from {peer} has failed: {e}");
            }
        }
        Ok(())
    }

    async fn test(&mut self, cookie: Cookie, stream: TcpStream, format: Format) -> Result {
        stream.set_nodelay(true)?;
        let mut control = Control(stream);
        control.say(State::ParamExchange).await?;
        let parameters: Parameters = soon("its parameters", control.receive()).await??;
        if let Some(what) = parameters.refusal() {
            control.refuse().await?;
            return Err(format!("the client asks for what is not done here: {what}").into());
        }
        control.say(State::CreateStreams).await?;
        let streams = soon("its streams", self.streams(&cookie, &parameters)).await??;
        control.say(State::TestStart).await?;
        control.say(State::TestRunning).await?;

        let direction = if parameters.reverse { Direction::Send } else { Direction::Receive };
        // The client ends it.
        let mut flows = Flows::start(streams, direction, parameters.len, u64::MAX);
        let mut report = Report::start(format, &flows);
        self.flow(&mut control, &mut flows, &mut report).await?;
        let tally = flows.finish();

        control.say(State::ExchangeResults).await?;
        let theirs: Results = soon("its results", control.receive()).await??;
        control.send(&tally.results).await?;
        control.say(State::DisplayResults).await?;
        report.end(&tally, &theirs)?;
        control.expect_soon(State::IperfDone).await
    }

    /// The connections that carry the text of this test.
    async fn streams(
        &mut self,
        cookie: &Cookie,
        parameters: &Parameters,
    ) -> Result<Vec<TcpStream>> {
        let mut streams = Vec::new();
        while streams.len() < parameters.parallel as usize {
            let (whose, stream) = self.arrivals.recv().await.ok_or("the stack has ended")?;
            if whose == *cookie {
                stream.set_nodelay(parameters.nodelay)?;
                streams.push(stream);
            } else {
                deny(stream).await;
            }
        }
        Ok(streams)
    }

    /// Until the client says that the test is over.
    async fn flow(
        &mut self,
        control: &mut Control,
        flows: &mut Flows,
        report: &mut Report,
    ) -> Result {
        let second = Duration::from_secs(1);
        let mut tick = interval_at(Instant::now() + second, second);
        let mut flowing = true;
        let heard = control.hear();
        tokio::pin!(heard);
        loop {
            tokio::select! {
                biased;
                heard = &mut heard => return match heard? {
                    State::TestEnd => Ok(()),
                    other => Err(format!("the client says {other:?} in the middle").into()),
                },
                // A client may close before it says that it is done; the control connection
                // tells if it was early.
                _ended = flows.done(), if flowing => flowing = false,
                other = self.arrivals.recv() => match other {
                    Some((_cookie, stream)) => deny(stream).await,
                    None => return Err("the stack has ended".into()),
                },
                _ = tick.tick() => report.interval(flows),
            }
        }
    }
}

async fn accept(listener: TcpListener, tell: mpsc::Sender<Arrival>) {
    while let Ok((mut stream, _peer)) = listener.accept().await {
        let tell = tell.clone();
        tokio::spawn(async move {
            let mut cookie: Cookie = [0; 37];
            // Who does not say what it wants is let go.
            if let Ok(Ok(_)) = timeout(PATIENCE, stream.read_exact(&mut cookie)).await {
                let _ = tell.send((cookie, stream)).await;
            }
        });
    }
}

/// As a server of iperf3 answers while it is busy. One octet always has room.
async fn deny(stream: TcpStream) {
    let _ = Control(stream).say(State::AccessDenied).await;
}
