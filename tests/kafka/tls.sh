# Sourced by `cluster`: listeners that are encrypted, with the certificates of a folder: PEM files of a key and its chain,
# and ca.pem, which signed the clients'.

# Each listener: its name, its port beyond the broker's, its certificate.
tls_all='TLS:1:broker SASL_TLS:3:broker MTLS:4:broker EXPIRED:5:expired ELSEWHERE:6:elsewhere EARLY:7:early'

tls_listeners() { # of the broker at port $1
  local l name port
  [ -n "$tls" ] || return 0
  for l in $tls_all; do IFS=: read -r name port _ <<<"$l"; printf ',%s://127.0.0.1:%s' "$name" $(($1 + port)); done
}

tls_protocols() {
  local l name
  [ -n "$tls" ] || return 0
  for l in $tls_all; do
    name=${l%%:*}
    if [ "$name" = SASL_TLS ]; then printf ',%s:SASL_SSL' "$name"; else printf ',%s:SSL' "$name"; fi
  done
}

tls_properties() {
  local l name certificate
  for l in $tls_all; do
    IFS=: read -r name _ certificate <<<"${l,,}"
    printf "listener.name.$name.ssl.%s\n" keystore.type=PEM "keystore.location=$tls/$certificate.pem" truststore.type=PEM "truststore.location=$tls/ca.pem"
  done
  echo listener.name.mtls.ssl.client.auth=required
  sasl_modules sasl_tls
}

tls_env() {
  local l name port i all
  for l in $tls_all; do
    IFS=: read -r name port _ <<<"$l"
    all=''
    for ((i = 1; i <= brokers; i++)); do all+=",127.0.0.1:$(($(port "$i") + port))"; done
    echo "KAFKA_BOOTSTRAP_$name=${all:1}"
  done
}
