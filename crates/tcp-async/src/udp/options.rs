//! What can be set on a UDP socket? tokio's options, with Linux's defaults and limits. What concerns
//! datagrams for many is in `groups`.

use std::io;

use tcp_io::cell::UdpOptions;

use super::UdpSocket;

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}

pub(super) fn octet(value: u32) -> io::Result<u8> {
    u8::try_from(value).map_err(|_| invalid())
}

impl UdpSocket {
    pub(super) fn option<R>(&self, look: impl FnOnce(&UdpOptions) -> R) -> io::Result<R> {
        Ok(look(&self.cell.options()))
    }

    pub(super) fn set_option(&self, change: impl FnOnce(&mut UdpOptions)) -> io::Result<()> {
        self.cell.set_options(change);
        Ok(())
    }

    /// The IPv6 traffic class of our datagrams.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.tclass_v6()?, 0);
    /// client.set_tclass_v6(0xb8)?;
    /// assert_eq!(client.tclass_v6()?, 0xb8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.option(|o| o.traffic_class.into())
    }

    /// Sets the IPv6 traffic class of our datagrams (`IPV6_TCLASS`).
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// # let socket = net.bind_udp("[fd00::1]:0").await?;
    /// socket.set_tclass_v6(0xb8)?; // Expedited Forwarding, as for speech
    /// socket.send_to(b"hello", "[fd00::2]:9").await?;
    /// let packet = packet_from(&wire).await?;
    /// assert_eq!(packet[..2], [0x6b, 0x80]); // version 6, then the class
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        let class = octet(tclass)?;
        self.set_option(|o| o.traffic_class = class)
    }

    /// TTL or hop limit of our unicast datagrams.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.ttl()?, 64);
    /// client.set_ttl(5)?;
    /// assert_eq!(client.ttl()?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.option(|o| o.hop_limit.into())
    }

    /// Sets the TTL or hop limit of our unicast datagrams. Linux's `IP_TTL` is of IPv4 only.
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.set_ttl(5)?;
    /// socket.send_to(b"hello", "10.0.0.2:9").await?;
    /// let packet = packet_from(&wire).await?;
    /// assert_eq!(packet[8], 5);
    /// assert_eq!(socket.set_ttl(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` unless it is from 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = octet(ttl)?;
        if ttl == 0 {
            return Err(invalid());
        }
        self.set_option(|o| o.hop_limit = ttl)
    }

    /// The IPv4 type of service of our datagrams.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.tos_v4()?, 0);
    /// client.set_tos_v4(0xb8)?;
    /// assert_eq!(client.tos_v4()?, 0xb8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.option(|o| o.tos.into())
    }

    /// Sets the IPv4 type of service of our datagrams (`IP_TOS`).
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.set_tos_v4(0xb8)?; // Expedited Forwarding, as for speech
    /// socket.send_to(b"hello", "10.0.0.2:9").await?;
    /// let packet = packet_from(&wire).await?;
    /// assert_eq!(packet[1], 0xb8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        let tos = octet(tos)?;
        self.set_option(|o| o.tos = tos)
    }

    /// As [`tos_v4`](Self::tos_v4).
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[deprecated(note = "`tos` is of IPv4: use `tos_v4`")]
    #[doc(hidden)]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// As [`set_tos_v4`](Self::set_tos_v4).
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    #[deprecated(note = "`tos` is of IPv4: use `set_tos_v4`")]
    #[doc(hidden)]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// The name of the stack's device.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// // A stack without a device calls its inside so.
    /// assert_eq!(client.device()?, Some(b"loopback".to_vec()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.net.device_name().map(|n| n.as_bytes().to_vec()))
    }

    /// Checks that the socket's stack runs on the device of this name; a stack has one device.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.bind_device(Some(b"loopback"))?;
    /// let other = client.bind_device(Some(b"eth0")).unwrap_err();
    /// assert_eq!(other.kind(), ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for another name; choose the stack with [`Net::bind_udp`](crate::Net::bind_udp)
    /// instead.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            Some(name) if self.net.device_name().map(str::as_bytes) != Some(name) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the stack has no such device"))
            }
            _ => Ok(()),
        }
    }

    /// What received datagrams may hold, in octets, 576 for each included (`SO_RCVBUF`).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(server.recv_buffer_size()?, 212_992); // Linux's `rmem_default`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.option(|o| o.receive_buffer)
    }

    /// Sets what received datagrams may hold, at least 2304 octets. Linux doubles the value.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// server.set_recv_buffer_size(0)?;
    /// assert_eq!(server.recv_buffer_size()?, 2304); // less is not to be had
    ///
    /// for _ in 0..10 {
    ///     client.send(&[0; 100]).await?; // costs 676
    /// }
    /// let mut received = 0;
    /// while server.try_recv(&mut [0; 100]).is_ok() {
    ///     received += 1;
    /// }
    /// assert_eq!(received, 4); // the others were dropped
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.receive_buffer = size)
    }

    /// What datagrams that the device has not taken may hold, in octets, 576 for each included
    /// (`SO_SNDBUF`).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.send_buffer_size()?, 212_992); // Linux's `wmem_default`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.option(|o| o.send_buffer)
    }

    /// Sets what datagrams that the device has not taken may hold, at least 4608 octets. Linux
    /// doubles the value.
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.set_send_buffer_size(0)?;
    /// assert_eq!(socket.send_buffer_size()?, 4608); // less is not to be had
    ///
    /// let to = "10.0.0.2:9".parse().expect("an address");
    /// let mut waiting = 0;
    /// while socket.try_send_to(&[0; 1000], to).is_ok() {
    ///     waiting += 1; // costs 1576, until the device has it
    /// }
    /// assert_eq!(waiting, 3);
    /// socket.writable().await?; // there is room again
    /// assert_eq!(socket.try_send_to(&[0; 1000], to)?, 1000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.send_buffer = size)
    }
}
