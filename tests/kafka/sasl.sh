# Sourced by `cluster`: the listener that wants to know who a client is, and the one user that it knows.

sasl_user=alice sasl_password=alice-secret

sasl_listener() { [ $sasl = 0 ] || echo ",SASL://127.0.0.1:$(($1 + 2))"; } # of the broker at port $1

sasl_properties() {
  echo sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
  sasl_modules sasl
}

sasl_modules() { # of the listener $1
  local module=org.apache.kafka.common.security
  cat <<E
listener.name.$1.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_$sasl_user="$sasl_password";
listener.name.$1.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.$1.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.$1.oauthbearer.sasl.jaas.config=$module.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
E
}

# SCRAM's passwords are the cluster's, not a broker's.
add_scram_user() { # BOOTSTRAP
  local bootstrap=$1 hash
  for hash in 256 512; do # the tool takes one at a time
    tool configs --alter --entity-type users --entity-name "$sasl_user" --add-config "SCRAM-SHA-$hash=[password=$sasl_password]" \
      >"$dir/scram.log" 2>&1 || { cat "$dir/scram.log" >&2; die "the SCRAM user could not be added"; }
  done
}

sasl_env() {
  local i all=''
  for ((i = 1; i <= brokers; i++)); do all+=",127.0.0.1:$(($(port "$i") + 2))"; done
  printf '%s\n' "KAFKA_BOOTSTRAP_SASL=${all:1}" "KAFKA_USER=$sasl_user" "KAFKA_PASSWORD=$sasl_password"
}
